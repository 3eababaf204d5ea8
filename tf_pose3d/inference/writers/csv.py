"""CSV files: a line per frame, for spreadsheets and statistics programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion

__all__ = ["check", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Nothing stands against these files: they hold any number of frames."""


def write(path: Path, motion: Motion) -> None:
    """Writes the frame's number in the source, seconds from the first row, and each joint in metres.

    Cells are empty where there is no pose.
    """
    names = [f"{joint}_{axis}" for joint in motion.skeleton.joints for axis in "xyz"]
    with write_whole(path, "w") as file:
        file.write(",".join(["frame", "seconds", *names]) + "\n")
        for row, (number, pose) in enumerate(zip(motion.frame_numbers, motion.poses, strict=True)):
            values = [f"{value:.5f}" if np.isfinite(value) else "" for value in pose.reshape(-1)]
            file.write(",".join([str(number), f"{row / motion.fps:.4f}", *values]) + "\n")
