"""TRC marker files, as OpenSim reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.markers import marker_positions

__all__ = ["check", "trc_text", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Nothing stands against these files: they hold any number of frames."""


def write(path: Path, motion: Motion) -> None:
    """Writes joints as markers, see `trc_text`."""
    with write_whole(path, "w") as file:
        file.write(trc_text(motion, path.name))


def trc_text(motion: Motion, name: str) -> str:
    """The content of a `.trc` file: joints as markers, millimetres, y up and z towards the camera.

    Args:
        motion: Frames without a pose have no values.
        name: Of the file, which the format repeats inside: the format's own characters in it, tabs and line
            breaks, become spaces.
    """
    joints = motion.skeleton.joints
    count = str(len(motion.poses))
    rate = f"{motion.fps:g}"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{_one_cell(name)}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        "\t".join([rate, rate, count, str(len(joints)), "mm", rate, "1", count]),
        "Frame#\tTime\t" + "\t\t\t".join(joints) + "\t\t",
        "\t\t" + "\t".join(f"X{number}\tY{number}\tZ{number}" for number in range(1, len(joints) + 1)),
        "",
    ]
    for number, pose in enumerate(marker_positions(motion)):
        values = ["" if np.isnan(value) else f"{value:.3f}" for value in pose.reshape(-1)]
        lines.append("\t".join([str(number + 1), f"{number / motion.fps:.6f}", *values]))
    return "\n".join(lines) + "\n"


def _one_cell(name: str) -> str:
    """A name without what ends a cell or a line, and without bytes that no encoding knows."""
    known = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in known)
