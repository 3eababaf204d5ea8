"""C3D marker files, as biomechanics programs read them; written by ezc3d, the extra `c3d`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.extras import require_extra
from tf_pose3d.skeleton import Skeleton

__all__ = ["C3D_FRAMES", "require_c3d", "write_c3d"]

# Frames are numbered with 16 bits.
C3D_FRAMES = 65535


def require_c3d() -> None:
    """Checks that C3D files can be written.

    Raises:
        Pose3DError: ezc3d is not installed; names the extra.
    """
    require_extra("ezc3d", "ezc3d", "c3d", "writing .c3d")


def write_c3d(path: str | Path, poses: np.ndarray, skeleton: Skeleton, fps: float) -> None:
    """Writes joints as markers: millimetres, y up and z towards the camera.

    Args:
        path: The file, which is overwritten; see `tf_pose3d.files.staged`.
        poses: `(F, J, 3)` metres, camera frame (y down, z away), 1 to `C3D_FRAMES` of them; NaN is missing.
        skeleton: Names the joints.
        fps: Frames per second.

    Raises:
        Pose3DError: As `require_c3d`.
    """
    require_c3d()
    import ezc3d

    points = np.ones((4, poses.shape[1], len(poses)))
    points[:3] = (poses * np.array([1000.0, -1000.0, -1000.0])).transpose(2, 1, 0)
    file = ezc3d.c3d()
    parameters = file["parameters"]["POINT"]
    parameters["RATE"]["value"] = [fps]
    parameters["UNITS"]["value"] = ["mm"]
    parameters["LABELS"]["value"] = list(skeleton.joints)
    file["data"]["points"] = points
    file.write(str(path))
