"""Whether what a network of one laboratory was given looks like that laboratory."""

from __future__ import annotations

import numpy as np

from tf_pose3d.anthropometry import typical_bones
from tf_pose3d.skeleton import Skeleton

__all__ = ["LABORATORY_DATA", "laboratory_warning"]

# Data sets of few cameras that stand alike, by what they are called for users.
LABORATORY_DATA = {
    "h36m": "Human3.6M",
    "amass": "Human3.6M's cameras",
    "synthetic": "Human3.6M's cameras",
    "lcn": "Human3.6M",
    "h36m_sh": "Human3.6M",
    "humaneva15": "HumanEva-I",
    "humaneva20": "HumanEva-I",
}
# The larger side of a person's box over the larger side of the image: Human3.6M's cameras see 0.20 to 0.56
# (medians of recordings).
_SMALLEST, _LARGEST = 0.15, 0.75
# Mean angle between a clip's trunks and the image's vertical, degrees: below 47 there, sitting and crouching.
_LEAN = 55.0
# Share by which a limb's length varies over a clip, from its tenth to its ninetieth of a hundred.
_VARIATION = 0.35
# Limbs over those of a typical adult.
_SHORTEST, _LONGEST = 0.75, 1.3
_FEWEST = 10
_LIMBS = ("knee", "ankle", "elbow", "wrist")


def laboratory_warning(
    dataset: str | None,
    keypoints: np.ndarray,
    poses: np.ndarray,
    skeleton: Skeleton,
    image_size: tuple[int, int],
    backwards: bool,
    by_box: bool = False,
) -> str | None:
    """One line where keypoints and lifted poses are unlike those of the network's laboratory; else None.

    Args:
        dataset: What the network was trained on, as its config says.
        keypoints: `(F, J, 2 or 3)` pixels.
        poses: `(F, J, 3)` metres, camera frame.
        skeleton: Layout of the poses.
        image_size: Width and height, pixels.
        backwards: Whether knees were found to bend backwards.
        by_box: Keypoints are seen relative to a box round the person, so that size does not matter.
    """
    if dataset not in LABORATORY_DATA or len(poses) < _FEWEST:
        return None
    signs = []
    points = keypoints[..., :2]
    size = float(np.median(np.ptp(points, axis=1).max(axis=1))) / max(image_size)
    if not by_box and not _SMALLEST <= size <= _LARGEST:
        signs.append(f"the person covers {size:.0%} of the image, there 20 to 56 %")
    trunk = poses[:, skeleton.index("neck")] - poses[:, skeleton.index("pelvis")]
    mean = (trunk / np.maximum(np.linalg.norm(trunk, axis=1, keepdims=True), 1e-6)).mean(axis=0)
    lean = float(np.degrees(np.arccos(np.clip(-mean[1] / max(float(np.linalg.norm(mean)), 1e-6), -1, 1))))
    if lean > _LEAN:
        signs.append(f"trunks lean by {lean:.0f} degrees, as if the camera were pitched")
    signs += _limb_signs(poses, skeleton)
    if backwards:
        signs.append("knees bend backwards")
    if not signs:
        return None
    return (
        f"this network knows the cameras of one laboratory ({LABORATORY_DATA[dataset]}), and this looks "
        f"unlike it: {'; '.join(signs)}. The shipped lifter (general) was made for other cameras"
    )


def _limb_signs(poses: np.ndarray, skeleton: Skeleton) -> list[str]:
    typical = {
        bone: length
        for bone, length in typical_bones(skeleton).items()
        if skeleton.joints[bone[1]].rpartition("_")[2] in _LIMBS
    }
    if not typical:
        return []
    lengths = {bone: np.linalg.norm(poses[:, bone[1]] - poses[:, bone[0]], axis=1) for bone in typical}
    spans = [np.percentile(length, [10, 50, 90]) for length in lengths.values()]
    variation = float(np.median([(high - low) / max(middle, 1e-6) for low, middle, high in spans]))
    ratio = float(np.median([np.median(lengths[bone]) / typical[bone] for bone in typical]))
    signs = []
    if variation > _VARIATION:
        signs.append(f"limbs change their length by {variation:.0%} over the clip")
    if not _SHORTEST <= ratio <= _LONGEST:
        signs.append(f"limbs are {ratio:.2f} times as long as an adult's")
    return signs
