"""What was followed of people, put together: who comes back is who left."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.known import mean_known, median_known

__all__ = ["Tracklet", "joined", "proven"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Frames between an end and a beginning that are joined by place.
_GAP = 180
# Metres per frame by which someone unseen moves at most, and between an end and a beginning at once.
_STRIDE, _STEP = 0.05, 0.4
# Mean difference of bones in metres up to which two tracks are one person, and how much farther any other is.
_SAME_BONES, _CLEARER = 0.012, 1.6


@dataclasses.dataclass(eq=False)
class Tracklet:
    """One person for as long as they were followed.

    Attributes:
        rows: Frame -> `(V,)` index of the detection in each view, -1 for none.
        bones: `(B,)` metres, median lengths; NaN where unknown.
        first_pose, last_pose: `(J, 3)` metres.
    """

    rows: dict[int, Integers]
    bones: Floats
    first_pose: Floats
    last_pose: Floats

    @property
    def first(self) -> int:
        return min(self.rows)

    @property
    def last(self) -> int:
        return max(self.rows)


def proven(rows_of: dict[int, Integers], least: int, alone: int) -> dict[int, Integers]:
    """Rows of a track without those of short times, far from all others, where views happened to meet."""
    frames = sorted(frame for frame, rows in rows_of.items() if (rows >= 0).sum() >= 2)
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame - runs[-1][-1] <= alone:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    kept = [(run[0], run[-1]) for run in runs if len(run) >= least]
    return {
        frame: rows for frame, rows in rows_of.items() if any(first <= frame <= last for first, last in kept)
    }


def joined(tracklets: list[Tracklet]) -> list[dict[int, Integers]]:
    """Tracklets of one person put together: the nearest end and beginning first, then by their bones."""
    groups = [[tracklet] for tracklet in sorted(tracklets, key=lambda tracklet: tracklet.first)]
    while True:
        best: tuple[float, int, int] | None = None
        for one, other in itertools.permutations(range(len(groups)), 2):
            before, after = groups[one][-1], groups[other][0]
            gap = after.first - before.last
            if gap <= 0 or gap > _GAP:
                continue
            apart = float(median_known(np.linalg.norm(after.first_pose - before.last_pose, axis=-1)))
            unlike = _unlike(groups[one], groups[other])
            if apart <= _STEP + _STRIDE * gap and not unlike > 2 * _SAME_BONES:
                cost = apart / (_STEP + _STRIDE * gap)
                if best is None or cost < best[0]:
                    best = (cost, one, other)
        if best is None:
            break
        _, one, other = best
        groups[one] += groups[other]
        del groups[other]
    _join_by_bones(groups)
    return [{frame: rows for tracklet in group for frame, rows in tracklet.rows.items()} for group in groups]


def _bones(group: list[Tracklet]) -> Floats:
    sizes = np.array([len(tracklet.rows) for tracklet in group], float)[:, None]
    lengths = np.stack([tracklet.bones for tracklet in group])
    known = np.isfinite(lengths)
    total = (known * sizes).sum(axis=0)
    return np.where(total > 0, np.where(known, lengths, 0.0).T @ sizes[:, 0] / np.maximum(total, 1), np.nan)


def _unlike(one: list[Tracklet], other: list[Tracklet]) -> float:
    """Mean metres by which the bones of two people differ; NaN where they share none."""
    difference = np.abs(_bones(one) - _bones(other))
    return float(mean_known(difference)) if np.isfinite(difference).sum() >= 4 else float("nan")


def _join_by_bones(groups: list[list[Tracklet]]) -> None:
    """Joins, in place, people who come back after long: whose bones are those of one who left, and of no one
    else.
    """
    while True:
        best: tuple[float, int, int] | None = None
        for one, other in itertools.combinations(range(len(groups)), 2):
            if _meet_in_time(groups[one], groups[other]):
                continue
            unlike = _unlike(groups[one], groups[other])
            rivals = [
                _unlike(groups[mine], groups[third])
                for mine in (one, other)
                for third in range(len(groups))
                if third not in (one, other) and not _meet_in_time(groups[mine], groups[third])
            ]
            clear = all(not rival < _CLEARER * unlike for rival in rivals)
            if unlike < _SAME_BONES and clear and (best is None or unlike < best[0]):
                best = (unlike, one, other)
        if best is None:
            return
        _, one, other = best
        groups[one] = sorted(groups[one] + groups[other], key=lambda tracklet: tracklet.first)
        del groups[other]


def _meet_in_time(one: list[Tracklet], other: list[Tracklet]) -> bool:
    return any(not (a.last < b.first or b.last < a.first) for a in one for b in other)
