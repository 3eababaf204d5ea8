"""C3D marker files, as biomechanics programs read them; written by ezc3d, the extra `c3d`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra
from tf_pose3d.files import staged
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.markers import marker_positions

__all__ = ["C3D_FRAMES", "check", "write"]

# Frames are numbered with 16 bits.
C3D_FRAMES = 65535


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that ezc3d is there and that the frames can be numbered.

    Raises:
        Pose3DError: ezc3d is not installed, or there are no frames or more than `C3D_FRAMES`.
    """
    require_extra("ezc3d", "ezc3d", "c3d", f"{path}: writing .c3d")
    if num_frames is not None and not 0 < num_frames <= C3D_FRAMES:
        raise Pose3DError(
            f"{path}: a C3D file holds 1 to {C3D_FRAMES} frames, these are {num_frames}; .trc has no limit"
        )


def _check_size(written: Path, path: Path, numbers: int) -> None:
    """Checks that a file holds its points, of four bytes a number: ezc3d says nothing of a full disk."""
    size = written.stat().st_size
    if size < 4 * numbers:
        raise Pose3DError(
            f"cannot write {path}: {size} bytes could be written of {4 * numbers} and more; is the disk full?"
        )


def write(path: Path, motion: Motion) -> None:
    """Writes joints as markers: millimetres, y up and z towards the camera, NaN in frames without a pose.

    Motion of the world: y up, (X, Y, Z) being the world's (y, z, x), as in TRC files.
    """
    import ezc3d

    points = np.ones((4, motion.skeleton.num_joints, motion.num_frames))
    points[:3] = marker_positions(motion).transpose(2, 1, 0)
    file = ezc3d.c3d()
    parameters = file["parameters"]["POINT"]
    parameters["RATE"]["value"] = [motion.fps]
    parameters["UNITS"]["value"] = ["mm"]
    parameters["LABELS"]["value"] = list(motion.skeleton.joints)
    file["data"]["points"] = points
    with staged(path) as temporary:
        # ezc3d adds .c3d to every other ending, .C3D among them.
        written = temporary.with_suffix(".c3d")
        try:
            file.write(str(written))
            _check_size(written, path, points.size)
            os.replace(written, temporary)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
