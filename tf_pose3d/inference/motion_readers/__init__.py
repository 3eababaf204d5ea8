"""Readers of motion from elsewhere, one module per kind of file, chosen by the file's ending."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Protocol, cast

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions

__all__ = ["READERS", "ReadMotionOptions", "Reader", "read_motion"]

# Ending of the file's name -> module that is a `Reader`, in the order in which messages list them.
READERS = {
    ".trc": "tf_pose3d.inference.motion_readers.trc",
    ".c3d": "tf_pose3d.inference.motion_readers.c3d",
    ".bvh": "tf_pose3d.inference.motion_readers.bvh",
    ".npz": "tf_pose3d.inference.motion_readers.arrays",
    ".json": "tf_pose3d.inference.motion_readers.json",
}


class Reader(Protocol):
    """What a module of `READERS` offers."""

    def read(self, path: Path, options: ReadMotionOptions) -> Motion:
        """Reads a motion.

        Args:
            path: The file.
            options: What is known besides.

        Raises:
            Pose3DError: A damaged file, or one without joints that have a known name.
        """


def read_motion(path: str | os.PathLike[str], options: ReadMotionOptions | None = None) -> Motion:
    """The motion in a file, in metres.

    Files of laboratories and animation come in world axes, z up. What this package wrote in a camera's axes
    (.npz and .json without `axes`) comes in these. Short gaps of single joints are filled, longer ones stay.

    Args:
        path: Ends as one of `READERS`.
        options: What is known besides.

    Raises:
        Pose3DError: Another ending, a damaged file, no joint with a known name, or an unknown unit.
    """
    path = Path(path)
    module = READERS.get(path.suffix.lower())
    if module is None:
        *others, last = READERS
        raise Pose3DError(f"{path}: expected a name that ends in {', '.join(others)} or {last}")
    if not path.is_file():
        raise Pose3DError(f"{path} does not exist, expected a motion file")
    reader = cast(Reader, importlib.import_module(module))
    return reader.read(path, options if options is not None else ReadMotionOptions())
