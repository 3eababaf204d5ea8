"""Signs that keypoints are not what they are said to be: another size, order or orientation."""

from __future__ import annotations

import numpy as np

from tf_pose3d.anthropometry import typical_bones
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["check_image_range", "check_keypoints", "check_poses", "check_sides", "limb_warnings"]

# Shares of joints outside the image at which to warn and to refuse.
_SOME_OUTSIDE, _MOST_OUTSIDE = 0.05, 0.5
# A joint this many images away is damage, which filling and windows would carry into other frames.
_FARTHEST = 100
# A limb this many times too long, against all others, is a wrong joint: sound recordings stay below 2, wrong
# orders above 2.6. Short limbs may point at the camera.
_TOO_LONG = 2.3
_ASYMMETRY = 1.8
# Joints whose limbs are long enough to compare their sides.
_LIMBS = ("knee", "ankle", "elbow", "wrist")
# The longest view of a limb, robust to single bad frames, stands for its length.
_LONGEST = 95


def check_image_range(keypoints: np.ndarray, width: float, height: float, where: str) -> list[str]:
    """Whether keypoints lie in an image of this size.

    Args:
        keypoints: `(F, J, 2 or 3)` pixels, NaN where missing.
        width, height: Image size in pixels.
        where: Names the keypoints in messages.

    Returns:
        Warnings, one line each.

    Raises:
        Pose3DError: They cannot lie in such an image: most are outside, or all are fractions.
    """
    points = keypoints[..., :2].reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return []
    size = f"{width:g}x{height:g}"
    if min(width, height) > 8 and np.abs(points).max() <= 2:
        raise Pose3DError(
            f"{where}: all coordinates lie between {points.min():.2g} and {points.max():.2g}, expected "
            f"pixels of an image of {size}; are they fractions of it?"
        )
    farthest = np.abs(keypoints[..., :2]) > _FARTHEST * max(width, height)
    if farthest.any():
        place = np.argwhere(farthest)[0]
        raise Pose3DError(
            f"{where}: joint {place[-2]} of frame {place[0]} lies at {keypoints[tuple(place)]:g}, expected "
            f"pixels of an image of {size}"
        )
    margin = 0.02 * np.array([width, height])
    outside = ((points < -margin) | (points > np.array([width, height]) + margin)).any(axis=1).mean()
    low, high = np.percentile(points, [1, 99], axis=0)
    span = f"x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f}"
    if outside > _MOST_OUTSIDE:
        raise Pose3DError(
            f"{where}: {outside:.0%} of the joints lie outside the image of {size} ({span}); check the size"
        )
    if outside > _SOME_OUTSIDE:
        return [f"{outside:.0%} of the joints lie outside the image of {size} ({span}): is that its size?"]
    extent = float(((high - low) / (width, height)).max())
    if extent < 0.08:
        return [f"the person covers only {extent:.0%} of the image of {size}: is that its size?"]
    return []


def _distance(points: np.ndarray, first: int, second: int) -> np.ndarray:
    return np.linalg.norm(points[:, first] - points[:, second], axis=-1)


def check_keypoints(keypoints: np.ndarray, skeleton: Skeleton) -> list[str]:
    """Whether 2D poses look like a person who stands or sits upright.

    Looks at the order of head, hips and feet from top to bottom, and at the lengths of limbs against each
    other, left against right.

    Args:
        keypoints: `(F, J, 2 or 3)` pixels, finite, in a model's layout.
        skeleton: That layout.

    Returns:
        Warnings, one line each.
    """
    points = keypoints[..., :2]
    found = []
    heights = [points[:, skeleton.index(joint), 1] for joint in ("neck", "pelvis")]
    feet = (points[:, skeleton.index("l_ankle"), 1] + points[:, skeleton.index("r_ankle"), 1]) / 2
    if ((heights[0] > heights[1]) & (heights[1] > feet)).mean() > 0.5:
        found.append(
            "the person is upside down (neck below hips below feet): does y count from the top of the image?"
        )
    found += _lying_warnings(points, skeleton)
    found += limb_warnings(points, skeleton)
    return found


def _lying_warnings(points: np.ndarray, skeleton: Skeleton) -> list[str]:
    """Whether trunk and legs lie along the image's x in nearly all frames, in the same direction."""
    pelvis = points[:, skeleton.index("pelvis")]
    feet = (points[:, skeleton.index("l_ankle")] + points[:, skeleton.index("r_ankle")]) / 2
    trunk, legs = points[:, skeleton.index("neck")] - pelvis, pelvis - feet
    across = [np.abs(part[:, 0]) > 1.5 * np.abs(part[:, 1]) for part in (trunk, legs)]
    lying = across[0] & across[1] & (np.sign(trunk[:, 0]) == np.sign(legs[:, 0]))
    if not len(points) or lying.mean() <= 0.8:
        return []
    side = "left" if np.median(trunk[:, 0]) < 0 else "right"
    return [
        f"the person lies on the side in nearly every frame (head to the {side}): is this a telephone's "
        "video that was not rotated by 90 degrees before detection? Models know people who stand and sit"
    ]


def limb_warnings(points: np.ndarray, skeleton: Skeleton) -> list[str]:
    """Whether limbs are too long for the others, or left and right differ.

    Args:
        points: `(F, J, 2)`, finite.
        skeleton: Their layout.
    """
    typical = typical_bones(skeleton)
    longest = {bone: float(np.percentile(_distance(points, *bone), _LONGEST)) for bone in typical}
    total = sum(longest.values())
    if total <= 0:
        return ["all joints lie in one point"]
    # Against the sum of all, so that a single odd bone does not spoil the measure.
    share = {
        bone: (longest[bone] / total) / (length / sum(typical.values())) for bone, length in typical.items()
    }
    odd = [bone for bone in typical if share[bone] > _TOO_LONG]
    if odd:
        names = ", ".join(f"{skeleton.joints[a]} to {skeleton.joints[b]}" for a, b in odd[:4])
        return [f"limbs too long for the others ({names}): is the joint layout right?"]
    uneven = []
    for left, right in zip(skeleton.left, skeleton.right, strict=True):
        first, second = (skeleton.parents[left], left), (skeleton.parents[right], right)
        if first not in longest or skeleton.joints[left][2:] not in _LIMBS:
            continue
        ratio = max(longest[first], 1e-6) / max(longest[second], 1e-6)
        if not 1 / _ASYMMETRY < ratio < _ASYMMETRY:
            uneven.append(f"{skeleton.joints[left]} {ratio:.1f} times {skeleton.joints[right]}")
    if len(uneven) > 1:
        return [
            f"left and right limbs of different length ({', '.join(uneven[:4])}): is the joint layout right?"
        ]
    return []


def check_sides(keypoints: np.ndarray, skeleton: Skeleton) -> list[str]:
    """Whether left and right are swapped, as far as a face that is seen from the front tells.

    Args:
        keypoints: `(F, J, 3)` pixels and confidence, NaN where missing, in the detector's layout.
        skeleton: That layout. Without eyes and confidences that differ, nothing is said.
    """
    face = ("nose", "l_eye", "r_eye", "l_shoulder", "r_shoulder")
    if not all(joint in skeleton.joints for joint in face):
        return []
    points = keypoints[:, [skeleton.index(joint) for joint in face]]
    points = points[np.isfinite(points).all(axis=(1, 2))]
    # Without real confidences a face is "seen" from behind as well.
    if not len(points) or np.ptp(points[..., 2]) < 0.05:
        return []
    seen = (points[:, :3, 2] > 0.6).all(axis=1)
    across = points[:, 3, 0] - points[:, 4, 0]
    width = np.percentile(np.abs(across), _LONGEST)
    frontal = points[seen & (np.abs(across) > 0.5 * width)]
    if len(frontal) < 10 or (frontal[:, 3, 0] < frontal[:, 4, 0]).mean() < 0.7:
        return []
    return [
        "left and right look swapped: the face is seen, but the left shoulder is at the left of the image (a "
        "mirrored video, or another joint layout?)"
    ]


def check_poses(poses: np.ndarray, skeleton: Skeleton) -> list[str]:
    """Whether lifted poses bend their knees forwards.

    Args:
        poses: `(F, J, 3)` metres, camera frame.
        skeleton: Their layout.
    """

    def joint(name: str) -> np.ndarray:
        return poses[:, skeleton.index(name)]

    across = joint("l_hip") - joint("r_hip")
    up = joint("neck") - joint("pelvis")
    # The camera frame is right-handed with y down: left x up points to the person's front.
    forward = np.cross(across, up)
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)
    bends = []
    for side in ("l", "r"):
        hip, knee, ankle = (joint(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        bends.append(np.sum((knee - (hip + ankle) / 2) * forward, axis=1))
    bend = np.concatenate(bends)
    bent = np.abs(bend) > 0.05
    if bent.sum() < 20 or (bend[bent] < 0).mean() < 0.7:
        return []
    return [
        "the lifted person's knees bend backwards: are left and right swapped, or is it another joint layout?"
    ]
