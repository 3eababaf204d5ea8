"""Markers by name become joints in metres, z up: what TRC, C3D and BVH files share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.checks import LARGEST
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.inference.formats.joint_names import find_joint
from tf_pose3d.inference.motion.body import as_body
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.smoothing import present_runs
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions
from tf_pose3d.skeleton import LAYOUTS, Skeleton, make_skeleton, missing_joints

__all__ = ["fill_gaps", "known_joints", "markers_to_motion"]

# What layouts are turned into that can be: the skeleton that rotations and the stage know best.
_BODY = "h36m_17"
# Metres of a thigh of a child to a grown person.
_THIGH = (0.2, 0.6)
_GUESSES = {"m": 1.0, "mm": 0.001, "cm": 0.01, "inch": 0.0254}
_KNOWN = {joint for layout in LAYOUTS.values() for joint in layout.joints}
# Virtual markers of gait laboratories: joint centres.
_CENTRES = {
    f"{side.upper()}{name}": f"{side}_{joint}"
    for side in "lr"
    for name, joint in {
        "HJC": "hip",
        "KJC": "knee",
        "AJC": "ankle",
        "SJC": "shoulder",
        "EJC": "elbow",
        "WJC": "wrist",
    }.items()
}


def known_joints(names: Sequence[str]) -> dict[str, int]:
    """Joint -> the first column whose name means it; `Subject:RHip` counts as RHip."""
    found: dict[str, int] = {}
    for column, full in enumerate(names):
        name = full.rpartition(":")[2].strip()
        joint = name if name in _KNOWN else _CENTRES.get(name.upper()) or find_joint(name)
        if name.lower() == "hip":
            joint = "pelvis"
        if name == "Head" and any(other.rpartition(":")[2] == "Neck" for other in names):
            # Pose2Sim's, which is the crown.
            joint = "head_top"
        if joint is not None:
            found.setdefault(joint, column)
    return found


def markers_to_motion(
    positions: npt.NDArray[np.float64],
    names: Sequence[str],
    fps: float,
    where: str,
    options: ReadMotionOptions,
    metres: float | None = None,
    usual_up: str = "y",
) -> Motion:
    """Joints of markers.

    Args:
        positions: `(F, M, 3)` in the file's axes and unit, NaN where a marker is missing.
        names: Of the M markers.
        fps: Frames per second.
        where: Names the file.
        options: What is known besides.
        metres: Of the file's unit; None: it does not say.
        usual_up: The axis that is up in files of the kind, where trunks do not tell.

    Raises:
        Pose3DError: No marker has the name of a joint, no unit fits, or there is no frame.
    """
    if not len(positions):
        raise Pose3DError(f"{where} has no frames")
    with np.errstate(invalid="ignore"):
        far = np.argwhere(np.abs(positions) > LARGEST)
    if len(far):
        frame, marker, _ = far[0]
        raise Pose3DError(f"{where}: marker {shown(names[marker])} of frame {frame} is beyond {LARGEST:g}")
    found = known_joints(names)
    if not found:
        raise Pose3DError(
            f"{where}: none of its markers is a joint with a known name, expected names such as RHip or "
            f"l_knee, got {', '.join(names[:8])}"
        )
    skeleton = make_skeleton("markers", tuple(found))
    points = positions[:, list(found.values())]
    points = points * _metres(points, skeleton, metres, where, options)
    points = _z_up(points, skeleton, options.up, usual_up)
    points = fill_gaps(points, options.max_gap)
    if not missing_joints(skeleton, _BODY):
        points, skeleton = as_body(points, skeleton)
    if not np.isfinite(points).all(axis=2).any():
        raise Pose3DError(f"{where}: no frame has any of its {skeleton.num_joints} joints")
    return Motion(
        poses=points,
        skeleton=skeleton,
        root=skeleton.root,
        fps=options.fps if options.fps is not None else fps,
        world=True,
        level="file",
        placement="world",
    )


def fill_gaps(points: npt.NDArray[np.float64], longest: int) -> npt.NDArray[np.float64]:
    """Joints `(F, J, 3)`, filled where no more than so many frames in a row lack one."""
    filled = points.copy()
    for joint in range(points.shape[1]):
        known = np.isfinite(points[:, joint, 0])
        for first, end in present_runs(~known):
            if first > 0 and end < len(points) and end - first <= longest:
                share = (np.arange(first, end) - (first - 1))[:, None] / (end - first + 1)
                filled[first:end, joint] = (1 - share) * points[first - 1, joint] + share * points[end, joint]
    return filled


def _metres(
    points: npt.NDArray[np.float64],
    skeleton: Skeleton,
    stated: float | None,
    where: str,
    options: ReadMotionOptions,
) -> float:
    given = options.metres if options.metres is not None else stated
    if not {"r_hip", "r_knee"} <= set(skeleton.joints):
        if given is not None:
            return given
        raise Pose3DError(f"{where} does not tell its unit, and has no thigh to tell it by: give the unit")
    hip, knee = points[:, skeleton.index("r_hip")], points[:, skeleton.index("r_knee")]
    thighs = np.linalg.norm(hip - knee, axis=1)
    if not np.isfinite(thighs).any():
        if given is not None:
            return given
        raise Pose3DError(
            f"{where}: r_hip and r_knee are never seen together, so that no thigh tells the unit"
        )
    thigh = float(np.nanmedian(thighs))
    if given is not None:
        if not _THIGH[0] / 2 <= thigh * given <= _THIGH[1] * 2:
            raise Pose3DError(
                f"{where}: thighs would be {thigh * given:.3g} m long, expected about 0.4: is the unit "
                f"another?"
            )
        return given
    fitting = [metres for metres in _GUESSES.values() if _THIGH[0] <= thigh * metres <= _THIGH[1]]
    if len(fitting) != 1:
        raise Pose3DError(f"{where}: thighs are {thigh:.3g} long, which fits no single unit: give the unit")
    return fitting[0]


def _z_up(
    points: npt.NDArray[np.float64], skeleton: Skeleton, up: str | None, usual: str
) -> npt.NDArray[np.float64]:
    """Points with z up: the axes go round in a ring, so that nothing is mirrored."""
    if up is None:
        up = _upright_axis(points, skeleton) or usual
    order = {"z": [0, 1, 2], "y": [2, 0, 1], "x": [1, 2, 0]}[up]
    return points[..., order]


def _upright_axis(points: npt.NDArray[np.float64], skeleton: Skeleton) -> str | None:
    """The axis along which people stand, from feet to hips or hips to shoulders; None if none is."""
    for low, high in (("ankle", "hip"), ("hip", "shoulder")):
        ends = []
        for joint in (low, high):
            names = [f"{side}_{joint}" for side in "lr" if f"{side}_{joint}" in skeleton.joints]
            ends_of_side = points[:, [skeleton.index(name) for name in names]]
            if names and np.isfinite(ends_of_side).any(axis=(0, 1)).all():
                ends.append(np.nanmean(ends_of_side, axis=(0, 1)))
        if len(ends) == 2:
            trunk = ends[1] - ends[0]
            axis = int(np.abs(trunk).argmax())
            if trunk[axis] > 0.8 * float(np.linalg.norm(trunk)):
                return "xyz"[axis]
    return None
