"""Whether a data set's 2D and 3D poses are of one another: the same unit, image, cameras and sides.

A file in millimetres, normalised 2D poses, or cameras in another order give numbers that look like a bad
model's. Projecting some of the 3D poses onto the 2D ones tells them apart: sound data, detections included,
differ by a few hundredths of the person's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tf_pose3d.anthropometry import typical_bones
from tf_pose3d.camera import Camera, camera_to_world, project_pixels
from tf_pose3d.data.datasets import Log
from tf_pose3d.data.sequence import Sequence as PoseSequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["DOUBTFUL", "LIMBS", "SOUND", "check_agreement", "check_unit", "explains", "require_unit"]

# Frames of a recording that are looked at.
_FRAMES = 24
# Joints that every layout means alike.
LIMBS = tuple(
    f"{side}_{name}" for side in "lr" for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
)
# Bones this many times an adult's are odd; people and skeletons differ by this much round a unit's factor.
_ODD_BONES, _UNIT_SPREAD = 2.5, 1.6
# Distances between projected 3D and 2D poses, in diagonals of the person's box: sound data stay below, and
# what explains a disagreement has to bring it below, and to a part of what it was.
SOUND, _EXPLAINED = 0.1, 0.4
DOUBTFUL = 0.15
# Metres from the camera below which nobody is filmed.
_NEAREST = 0.3
# Cosine to an axis above which somebody stands along it, and in how many of the frames all must.
_UPRIGHT, _MOSTLY = 0.85, 0.7
# Ratio -> the unit that they are in, instead of that which they should be in.
_UNITS = {
    1000.0: "millimetres instead of metres",
    100.0: "centimetres instead of metres",
    39.37: "inches instead of metres",
    0.001: "metres instead of millimetres",
}


def check_unit(sequences: Iterable[PoseSequence], where: str, log: Log | None = None) -> None:
    """Checks that people are as large as people are.

    Args:
        sequences: With 3D poses.
        where: Names the files in messages.
        log: Takes a line where bones are odd.

    Raises:
        Pose3DError: Bones are so long or short that they are in another unit.
    """
    ratios = [_bone_ratio(one.pose_3d, one.skeleton) for one in sequences if one.pose_3d is not None]
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return
    require_unit(float(np.median(known)), where, log)


def require_unit(ratio: float, where: str, log: Log | None = None) -> None:
    """Checks how long some people's bones are.

    Args:
        ratio: Their length over that of an adult's, in the unit that the data should have.
        where, log: See `check_unit`.

    Raises:
        Pose3DError: They are as long as those of another unit.
    """
    if 1 / _ODD_BONES < ratio < _ODD_BONES:
        return
    times = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
    found = f"{where}: the 3D poses' bones are {times} times as long as an adult's"
    for factor, unit in _UNITS.items():
        if factor / _UNIT_SPREAD < ratio < factor * _UNIT_SPREAD:
            raise Pose3DError(
                f"{found}, as {unit}; expected the unit that this data set's files have (see data/DATASET.md)"
            )
    if log is not None:
        log(f"{found}: what unit is it?")


def _sampled(length: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(length, _FRAMES)).round().astype(np.int64))


def _bone_ratio(poses: np.ndarray, skeleton: Skeleton) -> float | None:
    typical = typical_bones(skeleton)
    if not typical or not len(poses):
        return None
    sample = poses[_sampled(len(poses))].astype(np.float64)
    bones = np.array(list(typical))
    lengths = np.linalg.norm(sample[:, bones[:, 0]] - sample[:, bones[:, 1]], axis=-1).sum(axis=1)
    return float(np.median(lengths) / sum(typical.values()))


def check_agreement(sequences: Sequence[PoseSequence], where: str, log: Log | None = None) -> None:
    """Checks that the 3D poses of some sequences project onto their 2D poses.

    Args:
        sequences: Of a data set. Those without a camera, or without both poses, are passed over.
        where: Names the files in messages.
        log: Takes a line where the poses do not agree and nothing explains it.

    Raises:
        Pose3DError: They do not, and something explains it: 3D in another unit or a world that is not z up,
            normalised 2D, 2D of another image size, cameras in another order, left and right swapped.
    """
    check_unit(sequences, where, log)
    _check_upright(sequences, where)
    people: dict[str, list[list[PoseSequence]]] = {}
    recordings: dict[tuple[str, str], list[PoseSequence]] = {}
    for one in sequences:
        if one.camera is None or one.pose_2d is None or one.pose_3d is None or one.world_frame:
            continue
        key = (one.subject, one.name)
        if key not in recordings:
            recordings[key] = []
            people.setdefault(one.subject, []).append(recordings[key])
        recordings[key].append(one)
    for subject, held in people.items():
        _check_subject(held, f"{where}: {subject}", log)


def _check_upright(sequences: Sequence[PoseSequence], where: str) -> None:
    """Checks that people in a world frame stand along its z: motion capture often has y up."""
    trunks = []
    for one in sequences:
        if not one.world_frame or one.pose_3d is None or not len(one.pose_3d):
            continue
        if not {"neck", "l_ankle", "r_ankle"} <= set(one.skeleton.joints):
            continue
        sample = one.pose_3d[_sampled(len(one.pose_3d))]
        feet = (sample[:, one.skeleton.index("l_ankle")] + sample[:, one.skeleton.index("r_ankle")]) / 2
        trunks.append(sample[:, one.skeleton.index("neck")] - feet)
    if not trunks:
        return
    upwards = np.concatenate(trunks)
    upwards = upwards / np.maximum(np.linalg.norm(upwards, axis=1, keepdims=True), 1e-9)
    along = (np.abs(upwards) > _UPRIGHT).mean(axis=0)
    axis = int(np.argmax(along))
    sign = "" if np.median(upwards[:, axis]) > 0 else "-"
    # People bend and lie down, but not all of them for most of the time.
    if along[axis] < _MOSTLY or (axis == 2 and not sign):
        return
    raise Pose3DError(
        f"{where}: people stand along {sign}{'xyz'[axis]}, expected z up: turn the world, y up becomes "
        "(x, -z, y)"
    )


class _View:
    """Some frames of a sequence: what is compared."""

    def __init__(self, sequence: PoseSequence) -> None:
        assert sequence.camera is not None
        assert sequence.pose_2d is not None
        assert sequence.pose_3d is not None
        skeleton_2d = sequence.skeleton_2d or sequence.skeleton
        shared = [name for name in LIMBS if name in skeleton_2d.joints and name in sequence.skeleton.joints]
        rows = _sampled(len(sequence.pose_2d))
        self.camera = sequence.camera
        self.names = shared
        self.pixels = sequence.pose_2d[rows][:, [skeleton_2d.index(name) for name in shared], :2].astype(
            float
        )
        self.pose = sequence.pose_3d[rows][:, [sequence.skeleton.index(name) for name in shared]].astype(
            float
        )
        box = np.ptp(self.pixels, axis=1)
        self.size = float(np.median(np.linalg.norm(box, axis=-1)))

    @property
    def can_project(self) -> bool:
        """Whether there are poses in front of the camera; some data sets keep them round their root only."""
        return bool(self.names) and len(self.pose) > 0 and float(np.median(self.pose[..., 2])) > _NEAREST

    def mirrored(self) -> np.ndarray:
        """The 2D poses with left and right exchanged."""
        other = [("r" if name[0] == "l" else "l") + name[1:] for name in self.names]
        if not set(other) <= set(self.names):
            return self.pixels
        return self.pixels[:, [self.names.index(name) for name in other]]

    def in_camera(self, camera: Camera) -> np.ndarray | None:
        """The 3D poses as another camera sees them; None where the cameras' places are not known."""
        if camera is self.camera:
            return self.pose
        own = self.camera
        if own.orientation is None or own.translation is None or camera.orientation is None:
            return None
        return camera.from_world(camera_to_world(self.pose, own.orientation, own.translation))


def _projected(pose: np.ndarray, camera: Camera, pixels: np.ndarray) -> np.ndarray | None:
    """Pixels of 3D poses, by the lens that fits best where none is known.

    None: they lie behind the camera, or are seen from behind.
    """
    with np.errstate(all="ignore"):
        if camera.has_intrinsics:
            return project_pixels(pose, camera) if (pose[..., 2] > 0).all() else None
        rays = pose[..., :2] / pose[..., 2:]
    if not np.isfinite(rays).all():
        return None
    fits = [_fitted(rays[..., axis], pixels[..., axis]) for axis in (0, 1)]
    # A camera from behind would fit with its picture mirrored.
    if min(scale for _, scale in fits) <= 0:
        return None
    return np.stack([fit for fit, _ in fits], axis=-1)


def _fitted(values: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    """`a * values + b` nearest to a target, and a."""
    centred = values - values.mean()
    scale = float((centred * (target - target.mean())).sum() / max((centred**2).sum(), 1e-12))
    return scale * centred + target.mean(), scale


def _apart(projected: np.ndarray | None, pixels: np.ndarray, size: float) -> float:
    if projected is None or size <= 0:
        return float("inf")
    distance = np.linalg.norm(projected - pixels, axis=-1)
    return float(np.median(distance)) / size if np.isfinite(distance).all() else float("inf")


def _check_subject(recordings: list[list[PoseSequence]], where: str, log: Log | None) -> None:
    views = [[_View(sequence) for sequence in recording] for recording in recordings]
    views = [[view for view in recording if view.can_project] for recording in views]
    flat = [view for recording in views for view in recording]
    if not flat:
        return
    extent = max(float(np.abs(view.pixels).max()) for view in flat)
    if extent <= 2 and min(flat[0].camera.width, flat[0].camera.height) > 8:
        raise Pose3DError(
            f"{where}: all 2D coordinates lie within {extent:.2g} of zero, expected pixels of an image of "
            f"{flat[0].camera.width}x{flat[0].camera.height}: they look normalised"
        )
    own = float(np.median([_apart(_projected(v.pose, v.camera, v.pixels), v.pixels, v.size) for v in flat]))
    by_camera = _by_camera(views)
    worst = max(own, *(apart[name] for name, apart in by_camera.items()), 0.0)
    if worst <= SOUND:
        return
    _explain_order(by_camera, where)
    swapped = float(
        np.median([_apart(_projected(v.pose, v.camera, v.mirrored()), v.mirrored(), v.size) for v in flat])
    )
    if explains(swapped, own):
        raise Pose3DError(
            f"{where}: the 2D poses fit the 3D poses only with left and right exchanged: is the layout of "
            "one of them another?"
        )
    _explain_scale(flat, own, where)
    if worst > DOUBTFUL and log is not None:
        far = f"{worst:.0%} of the person's size" if np.isfinite(worst) else "behind the camera"
        log(
            f"{where}: 2D and 3D poses do not agree: projected, the 3D poses lie {far} from the 2D poses "
            "(good detections: 1 to 5 %); are they of the same recordings, cameras and joints?"
        )


def explains(found: float, before: float) -> bool:
    """Whether a distance is sound, and far below what it was under the other supposition."""
    return found < SOUND and found < _EXPLAINED * before


def _by_camera(views: list[list[_View]]) -> dict[str, dict[str, float]]:
    """Camera -> camera that is supposed instead -> how far apart the poses then are."""
    held: dict[str, dict[str, list[float]]] = {}
    for recording in views:
        for view in recording:
            for other in recording:
                pose = view.in_camera(other.camera)
                if pose is None:
                    continue
                apart = _apart(_projected(pose, other.camera, view.pixels), view.pixels, view.size)
                held.setdefault(view.camera.id, {}).setdefault(other.camera.id, []).append(apart)
    return {
        name: {other: float(np.median(values)) for other, values in held[name].items()}
        for name in held
        if name in held[name]
    }


def _explain_order(by_camera: dict[str, dict[str, float]], where: str) -> None:
    for name, apart in by_camera.items():
        best = min(apart, key=apart.__getitem__)
        if best != name and explains(apart[best], apart[name]):
            raise Pose3DError(
                f"{where}: the 2D poses of camera {name} are those of camera {best} ({apart[best]:.1%} of "
                f"the person's size from the projected 3D poses, not {apart[name]:.0%}): the cameras are in "
                "another order than this data set's"
            )


def _explain_scale(flat: list[_View], own: float, where: str) -> None:
    apart, scales = [], []
    for view in flat:
        projected = _projected(view.pose, view.camera, view.pixels)
        if projected is None or not view.camera.has_intrinsics:
            return
        fits = [_fitted(projected[..., axis], view.pixels[..., axis]) for axis in (0, 1)]
        apart.append(_apart(np.stack([fit for fit, _ in fits], axis=-1), view.pixels, view.size))
        scales.append(fits[1][1])
    camera, scale = flat[0].camera, float(np.median(scales))
    # Nearly the same size is no other image: poses may be rescaled to one person's.
    if explains(float(np.median(apart)), own) and not 0.8 < scale < 1.25:
        raise Pose3DError(
            f"{where}: the 2D poses fit the 3D poses only when they are divided by {scale:.3g} and moved: "
            f"are they of another image size? Expected pixels of {camera.width}x{camera.height}"
        )
