"""Clinical joint angles as CSV, for spreadsheets and statistics programs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.angles import clinical_angles
from tf_pose3d.inference.motion.constant_bones import find_pelvis
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.rigged import check_frames, rig_of

__all__ = ["angle_curves", "check_angle_file", "write_angles"]


def check_angle_file(path: str | os.PathLike[str], num_frames: int | None = None) -> None:
    """Checks that a file can hold angles, before the work is done.

    Raises:
        Pose3DError: Another ending than .csv, or there are no frames.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise Pose3DError(f"{path}: clinical angles are written as .csv; --output FILE.mot writes OpenSim's")
    check_frames(path, num_frames)


def write_angles(path: str | os.PathLike[str], motion: Motion) -> None:
    """Writes the frame's number in the source, seconds, and `clinical_angles` in degrees.

    Cells are empty in frames without a pose.

    Raises:
        Pose3DError: As `tf_pose3d.inference.writers.rigged.rig_of`.
    """
    path = Path(path)
    angles = clinical_angles(rig_of(path, motion))
    table = np.column_stack(list(angles.values()))
    with write_whole(path, "w") as file:
        file.write(",".join(["frame", "seconds", *angles]) + "\n")
        rows = zip(motion.frame_numbers, table, motion.present, strict=True)
        for row, (number, values, present) in enumerate(rows):
            cells = [f"{value:.3f}" if present else "" for value in values]
            file.write(",".join([str(number), f"{row / motion.fps:.4f}", *cells]) + "\n")


def angle_curves(motion: Motion) -> dict[str, npt.NDArray[np.float64]]:
    """`clinical_angles` for pictures, NaN in frames without a pose; none where poses do not allow them."""
    if (
        not motion.present.any()
        or find_pelvis(motion.skeleton) is None
        or "neck" not in motion.skeleton.joints
    ):
        return {}
    angles = clinical_angles(rig_of(Path("angles"), motion))
    return {name: np.where(motion.present, values, np.nan) for name, values in angles.items()}
