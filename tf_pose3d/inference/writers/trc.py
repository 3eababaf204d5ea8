"""TRC marker files, as OpenSim reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.writers.markers import marker_names, marker_positions

__all__ = ["check", "trc_text", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Nothing stands against these files: they hold any number of frames."""


def write(path: Path, motion: Motion) -> None:
    """Writes joints as markers, see `trc_text`."""
    with write_whole(path, "w") as file:
        file.write(trc_text(motion, path.name))


def trc_text(motion: Motion, name: str) -> str:
    """The content of a `.trc` file: joints as markers, millimetres, y up and z towards the camera.

    Motion of the world is as Pose2Sim writes it: metres, y up, (X, Y, Z) being the world's (y, z, x); its
        names of
    markers and their order; the source's frame numbers, and time as number over rate.

    Args:
        motion: Frames without a pose have no values.
        name: Of the file, which the format repeats inside: the format's own characters in it, tabs and line
            breaks, become spaces.
    """
    if motion.world:
        return _world_text(motion, name)
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
        lines.append(_row(number + 1, number / motion.fps, values))
    return "\n".join(lines) + "\n"


def _world_text(motion: Motion, name: str) -> str:
    order, names = marker_names(motion)
    numbers = motion.frame_numbers
    rate, count = f"{motion.fps:g}", str(motion.num_frames)
    first = str(numbers[0]) if len(numbers) else "0"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{_one_cell(name)}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        "\t".join([rate, rate, count, str(len(names)), "m", rate, first, count]),
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\t",
        "\t\t" + "\t".join(f"X{number}\tY{number}\tZ{number}" for number in range(1, len(names) + 1)) + "\t",
    ]
    positions = marker_positions(motion)[:, order].reshape(motion.num_frames, -1) / 1000
    for number, row in zip(numbers.tolist(), positions, strict=True):
        values = ["" if value != value else f"{value:.6f}" for value in row.tolist()]
        lines.append(_row(number, number / motion.fps, values))
    return "\n".join(lines) + "\n"


def _row(number: int, seconds: float, values: list[str]) -> str:
    """A frame's line. An empty cell is a missing marker to OpenSim, but it sees none at the end of a line."""
    return "\t".join([str(number), f"{seconds:.6f}", *values]) + ("" if values and values[-1] else "\t")


def _one_cell(name: str) -> str:
    """A name without what ends a cell or a line, and without bytes that no encoding knows."""
    known = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else " " for character in known)
