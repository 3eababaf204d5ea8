"""Every reader of files that come from elsewhere: the one table that the program and the tests go through."""

from __future__ import annotations

from fuzzing import camera_readers, data_readers, keypoint_readers, weight_readers
from fuzzing.reader import Reader

__all__ = ["READERS"]

READERS: list[Reader] = [
    *keypoint_readers.READERS,
    *camera_readers.READERS,
    *data_readers.READERS,
    *weight_readers.READERS,
]
