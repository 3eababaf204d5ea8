"""MOT motion files: coordinates of OpenSim's full-body models over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.angles import opensim_coordinates
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig
from tf_pose3d.inference.writers.rigged import check_frames, rig_of

__all__ = ["check", "mot_text", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that there is a frame.

    Raises:
        Pose3DError: There is none.
    """
    check_frames(path, num_frames)


def write(path: Path, motion: Motion) -> None:
    """Writes joint angles, see `mot_text`; frames without a pose repeat the last.

    Raises:
        Pose3DError: As `tf_pose3d.inference.writers.rigged.rig_of`.
    """
    rig = rig_of(path, motion)
    level = {
        "camera": "the camera's orientation",
        "angles": "its angles",
        "person": "how the person stands",
        "calibration": "the calibration of the cameras",
    }
    with write_whole(path, "w") as file:
        file.write(
            mot_text(rig, f"Level by {level.get(motion.level, 'nothing: axes of the camera or file')}.")
        )


def mot_text(rig: Rig, note: str = "") -> str:
    """The content of a `.mot` file: `tf_pose3d.inference.motion.angles.opensim_coordinates`, a line a frame.

    Angles in degrees, metres, seconds, y up (OpenSim's "Motion (.mot) Files").

    Args:
        rig: The motion.
        note: A line for the header.
    """
    columns = opensim_coordinates(rig)
    count = len(rig.root)
    table = np.column_stack([np.arange(count) / rig.fps, *columns.values()])
    lines = [
        "Coordinates",
        "version=1",
        f"nRows={count}",
        f"nColumns={table.shape[1]}",
        "inDegrees=yes",
        "",
        "Units are S.I. units (second, meters, Newtons, ...)",
        "Angles are in degrees.",
        *([note] if note else []),
        "",
        "endheader",
        "\t".join(["time", *columns]),
    ]
    lines += ["\t".join(f"{value:.6f}" for value in row) for row in table]
    return "\n".join(lines) + "\n"
