"""Writers of motion, one module per kind of file, and the choice among them by the file's ending."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.contact import feet_joints
from tf_pose3d.inference.motion.record import Motion

__all__ = ["WRITERS", "Writer", "check_motion_file", "gap_note", "write_motion"]

# Ending of the file's name -> module that is a `Writer`, in the order in which messages list them.
WRITERS = {
    ".npz": "tf_pose3d.inference.writers.arrays",
    ".npy": "tf_pose3d.inference.writers.arrays",
    ".json": "tf_pose3d.inference.writers.json",
    ".csv": "tf_pose3d.inference.writers.csv",
    ".bvh": "tf_pose3d.inference.writers.bvh",
    ".trc": "tf_pose3d.inference.writers.trc",
    ".c3d": "tf_pose3d.inference.writers.c3d",
    ".mot": "tf_pose3d.inference.writers.mot",
    ".glb": "tf_pose3d.inference.writers.glb",
    ".usda": "tf_pose3d.inference.writers.usda",
    ".fbx": "tf_pose3d.inference.writers.fbx",
    ".rrd": "tf_pose3d.inference.writers.rrd",
}


# Formats that hold a pose in every frame.
_WITHOUT_GAPS = (".bvh", ".glb", ".usda", ".fbx", ".mot")


class Writer(Protocol):
    """What a module of `WRITERS` offers."""

    def check(self, path: Path, num_frames: int | None = None) -> None:
        """Finds what stands against writing before the work is done.

        Args:
            path: The file, with an ending of this writer.
            num_frames: How many frames it shall hold, where that is known.

        Raises:
            Pose3DError: A library that is not installed, or frames that the format cannot hold.
        """

    def write(self, path: Path, motion: Motion) -> None:
        """Writes a motion, the file whole or not at all.

        Args:
            path: The file, with an ending of this writer.
            motion: What to write, as `check` allows it.

        Raises:
            Pose3DError: The file cannot be written, or the format cannot hold the motion.
        """


def _writer(path: Path) -> Writer:
    module = WRITERS.get(path.suffix.lower())
    if module is None:
        *others, last = WRITERS
        raise Pose3DError(f"{path}: expected a name that ends in {', '.join(others)} or {last}")
    return cast(Writer, importlib.import_module(module))


def check_motion_file(path: str | Path, num_frames: int | None = None) -> None:
    """Checks that a file can hold a motion, before the work is done.

    Args:
        path: The file; its ending says in which format it is written.
        num_frames: How many frames it shall hold, where that is known.

    Raises:
        Pose3DError: An ending that is not among `WRITERS`, or what the writer's `check` finds.
    """
    path = Path(path)
    _writer(path).check(path, num_frames)


def write_motion(path: str | Path, motion: Motion) -> None:
    """Writes a motion in the format that the file's ending says, the file whole or not at all.

    Args:
        path: The file.
        motion: What to write.

    Raises:
        Pose3DError: As `check_motion_file`, or the file cannot be written.
    """
    path = Path(path)
    writer = _writer(path)
    writer.check(path, motion.num_frames)
    writer.write(path, motion)


def gap_note(path: str | Path, motion: Motion, angles: bool = False) -> str:
    """What a file cannot hold of a motion: gaps, and angles of ankles beyond which no joint is known; empty
    where there is nothing to say.

    Args:
        path: The file.
        motion: What was written.
        angles: It holds joint angles, as `.mot` does.
    """
    missing = int((~motion.present).sum())
    ending = Path(path).suffix.lower()
    notes = []
    if missing and ending in _WITHOUT_GAPS:
        notes.append(
            f"{missing} of {motion.num_frames} frames without a pose repeat the last one, as {ending} holds "
            f"no gaps"
        )
    feet = feet_joints(motion.skeleton)
    if (angles or ending == ".mot") and (feet is None or motion.skeleton.joints[feet[0]] == "l_ankle"):
        notes.append("no angles of the ankles, as no joint tells how feet are held")
    return "; ".join(notes)
