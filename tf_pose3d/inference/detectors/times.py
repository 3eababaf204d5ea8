"""Frames at uneven times, as telephones and screen recorders write them, put on even ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_pose3d.inference.keypoints import Person

__all__ = ["EvenTimes", "even_times", "spread"]

# Seconds between two frames over which nothing is supposed.
_LONGEST = 0.25
# Frames this much off an even row, in the time from one to the next, are uneven.
_UNEVEN = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class EvenTimes:
    """Even times over a video.

    Attributes:
        fps: Their rate.
        stamps: `(F,)` seconds of the decoded frames; None where they are even already, or unknown.
        places: `(n,)` even times; None likewise.
        nearest: `(n,)` int64: the decoded frame that is nearest to each; None likewise.
        note: What was done, for the user.
    """

    fps: float
    stamps: np.ndarray | None = None
    places: np.ndarray | None = None
    nearest: np.ndarray | None = None
    note: str = ""


def even_times(stamps: Sequence[float | None], nominal: float) -> EvenTimes:
    """Even times for frames with these stamps.

    Args:
        stamps: Seconds of each frame, None where the file has none.
        nominal: Frames per second as the file says.
    """
    if len(stamps) < 3 or any(stamp is None for stamp in stamps):
        return EvenTimes(nominal)
    times = np.array(stamps, np.float64)
    steps = np.diff(times)
    if not np.isfinite(times).all() or (steps <= 0).any():
        return EvenTimes(nominal)
    mean = (times[-1] - times[0]) / len(steps)
    off = np.abs(times - times[0] - mean * np.arange(len(times)))
    if off.max() <= _UNEVEN * mean:
        # What the file says of its rate may be rounded, or of another stream.
        return EvenTimes(nominal if abs(nominal * mean - 1) < 0.01 else 1 / mean)
    step = float(np.median(steps))
    step = 1 / round(1 / step) if abs(round(1 / step) * step - 1) < 0.02 and step < 0.2 else step
    places = times[0] + step * np.arange(int((times[-1] - times[0]) / step + 1e-6) + 1)
    after = np.clip(np.searchsorted(times, places), 1, len(times) - 1)
    nearest = np.where(places - times[after - 1] <= times[after] - places, after - 1, after)
    note = (
        f"frames {1000 * steps.min():.0f} to {1000 * steps.max():.0f} ms apart: timed by their stamps, as "
        f"{len(places)} at {1 / step:g} per second"
    )
    return EvenTimes(1 / step, times, places, nearest.astype(np.int64), note)


def spread(person: Person, times: EvenTimes) -> list[Person]:
    """The person at even times: on the straight way between two frames that follow each other.

    Returns:
        One person, or none where all frames lie too far from every even time.
    """
    assert times.stamps is not None
    assert times.places is not None
    own = times.stamps[person.frames]
    before = np.clip(np.searchsorted(own, times.places, side="right") - 1, 0, len(own) - 1)
    after = np.minimum(before + 1, len(own) - 1)
    gap = own[after] - own[before]
    share = np.where(gap > 0, (times.places - own[before]) / np.where(gap > 0, gap, 1), 0.0)
    following = person.frames[after] - person.frames[before] <= 1
    between = (share >= 0) & (share <= 1) & following & (gap <= _LONGEST)
    # Elsewhere a frame serves for the even time next to it.
    nearest = np.where(np.abs(times.places - own[after]) < np.abs(times.places - own[before]), after, before)
    close = np.abs(times.places - own[nearest]) <= 0.5 / times.fps
    kept = np.flatnonzero(between | close)
    if not len(kept):
        return []
    weight = np.where(between, share, 0.0)[kept, None, None].astype(np.float32)
    first = np.where(between, before, nearest)[kept]
    second = np.where(between, after, nearest)[kept]

    def mixed(values: np.ndarray) -> np.ndarray:
        return values[first] + weight * (values[second] - values[first])

    pose = None if person.detector_pose is None else mixed(person.detector_pose)
    keypoints = mixed(person.keypoints)
    # A joint that one of both frames lacks is taken from neither.
    return [Person(person.id, kept.astype(np.int64), keypoints, pose)]
