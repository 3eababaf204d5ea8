"""Write the poses of a lifted recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.files import write_whole

__all__ = ["check_pose_file", "save_poses"]

_SUFFIXES = (".npz", ".npy")


def check_pose_file(path: str | Path) -> None:
    """Checks the name of a file for `save_poses`.

    Raises:
        Pose3DError: Another extension than .npz or .npy.
    """
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise Pose3DError(f"--output {path}: expected a name that ends in {' or '.join(_SUFFIXES)}")


def save_poses(path: str | Path, poses: np.ndarray, sequence: Sequence, root: int) -> None:
    """Writes the poses of a recording, the file whole or not at all.

    A `.npy` file holds `poses` alone, as VideoPose3D exports them. A `.npz` file holds `pose_3d (F, J, 3)`;
    `pose_2d (F, J, 2 or 3)` pixels; `joints (J,)`, `parents (J,)`, `root`, `fps`, `subject`, `action`
    (the recording's full name) and `camera`; and with ground truth `target (F, J, 3)` in the camera frame
    and `error_mm (F,)`, the mean joint error of each frame with both roots at the origin.

    Args:
        path: The file.
        poses: `(F, J, 3)` metres, root-centred, camera frame.
        sequence: What was lifted.
        root: The root joint.

    Raises:
        Pose3DError: As `check_pose_file` and `tf_pose3d.files.write_whole`.
    """
    check_pose_file(path)
    if Path(path).suffix.lower() == ".npy":
        with write_whole(path) as file:
            np.save(file, poses)
        return
    arrays = {
        "pose_3d": poses,
        "pose_2d": sequence.pose_2d,
        "joints": np.array(sequence.skeleton.joints),
        "parents": np.array(sequence.skeleton.parents),
        "root": np.array(root),
        "fps": np.array(sequence.fps),
        "subject": np.array(sequence.subject),
        "action": np.array(sequence.name),
        "camera": np.array(sequence.camera.id if sequence.camera is not None else ""),
    }
    if sequence.pose_3d is not None:
        arrays["target"] = sequence.pose_3d
        arrays["error_mm"] = 1000 * mpjpe(poses, sequence.pose_3d, root=root).mean(1)
    with write_whole(path) as file:
        np.savez_compressed(file, **arrays)
