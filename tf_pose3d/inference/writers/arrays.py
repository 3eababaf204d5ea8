"""NumPy files: `.npz` with all that is known, `.npy` with the poses alone, as VideoPose3D exports them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.facts import motion_facts

__all__ = ["check", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Nothing stands against these files: NumPy is there, and they hold any number of frames."""


def write(path: Path, motion: Motion) -> None:
    """Writes `(F, J, 3)` poses in metres as they are, NaN in frames without one.

    `.npz` holds `pose_3d (F, J, 3)`; `pose_2d (F, J, 2 or 3)` pixels; the values of
    `tf_pose3d.inference.writers.facts`; `frame (F,)`, the number of each row's frame in the source; `present
    (F,)`, false where there is no pose; where the model says, `uncertainty_mm (F, J)`, the radius that holds
    the true joint nine times of ten; of several cameras `error_px (F, J)`, `views (F, J)` and, where a lifter
    filled joints, `filled (F, J)`; of networks of the normalised image `pose_image (F, J, 3)`, what they
    give (with --pixel in pixels); in the world, `resting (F, 2)`,
    whether the left and the right foot rest, and `root_uncertainty_mm (F,)`, the standard deviation of the
    root's place along the line of sight; and with ground truth
    `target (F, J, 3)` in the camera frame and `error_mm (F,)`, the mean joint error of each frame with both
    roots at the origin.
    """
    with write_whole(path) as file:
        if path.suffix.lower() == ".npy":
            # Into memory first: what np.save says of a full disk is its own.
            buffer = io.BytesIO()
            np.save(buffer, motion.poses)
            file.write(buffer.getbuffer())
        else:
            np.savez_compressed(file, **_arrays(motion))


def _arrays(motion: Motion) -> dict[str, Any]:
    arrays = {
        "pose_3d": motion.poses,
        **({} if motion.keypoints is None else {"pose_2d": motion.keypoints}),
        **motion_facts(motion),
        "frame": motion.frame_numbers,
        "present": motion.present,
    }
    if motion.uncertainty is not None:
        arrays["uncertainty_mm"] = motion.uncertainty
    for name, values in (
        ("error_px", motion.error_px),
        ("views", motion.views),
        ("filled", motion.filled),
        ("pose_image", motion.pose_image),
    ):
        if values is not None:
            arrays[name] = values
    if motion.resting is not None:
        arrays["resting"] = motion.resting
    if motion.root_uncertainty is not None:
        arrays["root_uncertainty_mm"] = 1000 * motion.root_uncertainty
    if motion.truth is not None:
        arrays["target"] = motion.truth
        arrays["error_mm"] = 1000 * mpjpe(motion.poses, motion.truth, root=motion.root).mean(1)
    return arrays
