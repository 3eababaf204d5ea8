"""JSON files: everything that is known, and the poses frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.files import write_json
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.facts import motion_facts

__all__ = ["check", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Nothing stands against these files: they hold any number of frames."""


def write(path: Path, motion: Motion) -> None:
    """Writes the values of `tf_pose3d.inference.writers.facts` and `frames`, an object for each frame: its
    number in the source; `pose_3d` in metres to 0.01 mm, null where there is none; `pose_2d` in pixels; and
    `uncertainty_mm`, the radius that holds the true joint nine times of ten, where the model says. Motion of
    several cameras has `views` and `error_px` of each joint beside it, and null for joints that they do not
    tell.
    """
    frames = []
    present = motion.present
    for row, (number, pose) in enumerate(zip(motion.frame_numbers.tolist(), motion.poses, strict=True)):
        frame: dict[str, Any] = {
            "frame": number,
            "pose_3d": pose.astype(np.float64).round(5).tolist() if present[row] else None,
        }
        if motion.views is not None and motion.error_px is not None:
            frame["views"] = motion.views[row].tolist()
            frame["error_px"] = motion.error_px[row].astype(np.float64).round(2).tolist()
        if motion.filled is not None:
            frame["filled"] = motion.filled[row].tolist()
        if motion.keypoints is not None:
            # Three decimals of a float32 pixel, without the digits that float64 would show.
            frame["pose_2d"] = motion.keypoints[row].astype(np.float64).round(3).tolist()
        if motion.uncertainty is not None and frame["pose_3d"] is not None:
            frame["uncertainty_mm"] = motion.uncertainty[row].astype(np.float64).round(1).tolist()
        if motion.resting is not None:
            frame["resting"] = motion.resting[row].tolist()
        if motion.root_uncertainty is not None and frame["pose_3d"] is not None:
            frame["root_uncertainty_mm"] = round(1000 * float(motion.root_uncertainty[row]), 1)
        frames.append(frame)
    axes = {"axes": "world, z up"} if motion.world else {}
    write_json(path, {"unit": "metre", **axes, **motion_facts(motion), "frames": frames})
