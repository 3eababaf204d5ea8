"""A share of a sequence, for training on less data."""

from __future__ import annotations

import dataclasses
import hashlib

from tf_pose3d.data.sequence import Sequence

__all__ = ["take_fraction"]


def _place(count: int, key: str) -> int:
    """A whole number from 0 to `count` - 1 that `key` decides."""
    draw = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")
    return min(int(draw / (2**32 - 1) * count), count - 1)


def take_fraction(sequence: Sequence, fraction: float, stride: int = 1) -> Sequence:
    """One run of a sequence's frames, at a place that the sequence's length decides.

    Source: VideoPose3D's `--subset`, so that the same frames are used.

    Args:
        sequence: Of F frames.
        fraction: Share of the frames, above 0, up to 1. At least `stride` frames are kept.
        stride: Frames between those that are used; the run's length is a multiple of it.
    """
    frames = sequence.num_frames
    kept = max(round(frames // stride * fraction), 1) * stride
    if kept >= frames:
        return sequence
    begin = _place(frames - kept + 1, str(frames))
    run = slice(begin, begin + kept)
    return dataclasses.replace(
        sequence,
        pose_2d=None if sequence.pose_2d is None else sequence.pose_2d[run],
        pose_3d=None if sequence.pose_3d is None else sequence.pose_3d[run],
        per_frame={name: values[run] for name, values in sequence.per_frame.items()},
    )
