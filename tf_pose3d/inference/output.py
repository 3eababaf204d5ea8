"""Poses of a recording to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.data.sequence import Sequence
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers import check_motion_file as check_pose_file
from tf_pose3d.inference.writers import write_motion

__all__ = ["check_pose_file", "save_poses"]


def save_poses(path: str | Path, poses: np.ndarray, sequence: Sequence, root: int) -> None:
    """Writes poses `(F, J, 3)` in metres of a recording, see `tf_pose3d.inference.writers.write_motion`."""
    write_motion(path, Motion.from_sequence(sequence, poses, root))
