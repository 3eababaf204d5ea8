"""When each camera began to record, found from the geometry of what the cameras saw.

At the right offset every joint of one view lies on its epipolar line of another. So each pair of views has a
curve: how far keypoints are from those lines at every offset. The pairs whose curves are sharpest say first
how the views hang together; then every view is moved to where all its curves together are lowest. The rate of
a camera is found the same way, as one of a few ratios to the fastest.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.inputs import ViewClip
from tf_pose3d.multicamera.known import median_known
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.swaps import epipolar_distances, view_pairs

__all__ = ["PairCurve", "Synchronisation", "offset_curve", "synchronise"]

Floats = npt.NDArray[np.float64]

# Slower cameras' frames in those of the fastest.
_STEPS = (1, 2, 4)
# Frames and joints of a view that are asked for each offset, and people.
_FRAMES, _JOINTS, _PEOPLE = 240, 12, 3
# The way from coarse to fine: every so many frames first, then round so many of the lowest places. So many
# offsets are worked on at once.
_COARSE, _PLACES, _BLOCK = 3, 10, 16
# A distance counts up to so many times the least median.
_CAP = 4.0
# A slower rate is believed where its curve is lower by this share.
_BETTER = 0.85
# A pair says something where its curve's least value is below this share of the least one that lies farther
# away than so many frames.
_NEIGHBOURS = 4
# A curve so sharp is one of two cameras of one rate.
_CERTAIN = 0.6
_SHARP = 0.85


@dataclasses.dataclass(frozen=True, eq=False)
class PairCurve:
    """What one pair of views says.

    Attributes:
        views: Numbers a, b.
        offsets: `(L,)` common frames by which b began later than a.
        error: `(L,)` mean distance from the epipolar lines in pixels, cut off.
    """

    views: tuple[int, int]
    offsets: npt.NDArray[np.int64]
    error: Floats

    @property
    def best(self) -> int:
        """The offset of the least error."""
        return int(self.offsets[int(np.argmin(self.error))])

    @property
    def sharpness(self) -> float:
        """The least error as a share of the least one farther away: 1 says nothing."""
        away = self.error[np.abs(self.offsets - self.best) > _NEIGHBOURS]
        other = float(away.min()) if len(away) else np.inf
        return float(self.error.min()) / other if 0 < other < np.inf else 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Synchronisation:
    """How the views hang together in time.

    Attributes:
        steps: `(V,)` common frames per frame of each view.
        offsets: `(V,)` common frame of each view's frame 0; the earliest view has 0.
        pairs: What each pair said, at these steps.
        unsure: Views that no sharp pair ties to the others.
    """

    steps: Floats
    offsets: Floats
    pairs: tuple[PairCurve, ...]
    unsure: tuple[int, ...]


class _Moves:
    """One view's keypoints as rays by own frame, people apart: `(F, P, J, 2)`, few joints."""

    def __init__(self, rig: Rig, view: int, clip: ViewClip, joints: list[int], least: float) -> None:
        self.view = view
        who, count = np.unique(clip.track, return_counts=True)
        kept = who[np.argsort(-count)][:_PEOPLE]
        self.first = int(clip.numbers[0]) if len(clip.numbers) else 0
        length = int(clip.numbers[-1]) - self.first + 1 if len(clip.numbers) else 1
        self.rays = np.full((length, max(len(kept), 1), len(joints), 2), np.nan)
        for place, person in enumerate(kept):
            rows = np.flatnonzero(clip.track == person)
            points = clip.keypoints[rows][:, joints]
            good = points[..., 2] >= least
            rays = rig.cameras[view].rays(points[..., :2])
            self.rays[clip.number[rows] - self.first, place] = np.where(good[..., None], rays, np.nan)

    def __len__(self) -> int:
        return len(self.rays)

    def at(self, time: npt.NDArray[np.int64], step: int) -> Floats:
        """Rays `(..., P, J, 2)` at times `(...)` of the view's frame 0, in common frames: between a slower
        camera's frames in proportion; NaN outside.
        """
        own = time / step - self.first
        left = np.floor(own + 1e-9).astype(np.int64)
        share = own - left
        inside = (left >= 0) & (left < len(self))
        values = self.rays[np.clip(left, 0, len(self) - 1)]
        if step > 1:
            right = left + (share > 1e-6)
            after = self.rays[np.clip(right, 0, len(self) - 1)]
            values = values * (1 - share[..., None, None, None]) + after * share[..., None, None, None]
            inside &= right < len(self)
        return np.where(inside[..., None, None, None], values, np.nan)


def _moving_joints(clips: Sequence[ViewClip]) -> list[int]:
    """The joints that move most in the views, by the median step over the size of the person."""
    speeds = []
    for clip in clips:
        who, count = np.unique(clip.track, return_counts=True)
        if not len(who):
            continue
        rows = np.flatnonzero(clip.track == who[np.argmax(count)])[:2000]
        points = clip.keypoints[rows][..., :2]
        speeds.append(median_known(np.linalg.norm(np.diff(points, axis=0), axis=-1), axis=0))
    total = np.nan_to_num(np.sum(np.nan_to_num(speeds), axis=0)) if speeds else np.zeros(0)
    return sorted(np.argsort(-total)[:_JOINTS].tolist())


def offset_curve(
    rig: Rig,
    one: _Moves,
    other: _Moves,
    steps: tuple[int, int],
    offsets: npt.NDArray[np.int64],
    frames: int = _FRAMES,
) -> Floats:
    """Mean cut-off distance in pixels at each offset `(L,)`; infinite where too little overlaps.

    Args:
        rig: V cameras.
        one, other: Two of its views.
        steps: Common frames from one of their frames to the next.
        offsets: By which the other began later.
        frames: How many are asked.
    """
    start = one.first * steps[0]
    every = np.arange(start, (one.first + len(one) - 1) * steps[0] + 1)
    if len(every) > frames:
        every = every[np.linspace(0, len(every) - 1, frames).astype(int)]
    # A view's frames at its own times: only the other one moves.
    fixed = one.at(every, steps[0])[:, :, None]
    tables = []
    for part in np.array_split(offsets, -(-len(offsets) // _BLOCK)):
        moved = other.at(every - part[:, None], steps[1])[:, :, None]
        # Whoever fits best of the other view's people.
        apart = median_known(epipolar_distances(rig, one.view, other.view, fixed, moved))
        apart = np.where(np.isfinite(apart), apart, np.inf).min(axis=3)
        tables.append(apart.reshape(len(part), -1))
    table = np.concatenate(tables)
    count = np.isfinite(table).sum(axis=1)
    enough = count >= max(8, 0.25 * count.max())
    medians = np.where(enough, median_known(np.where(np.isfinite(table), table, np.nan)), np.inf)
    if not enough.any():
        return np.full(len(offsets), np.inf)
    cap = _CAP * float(medians.min()) + 1e-6
    cut = np.where(np.isfinite(table), np.minimum(table, cap), 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(enough, cut, np.inf)


def _searched(rig: Rig, one: _Moves, other: _Moves, steps: tuple[int, int], most: int) -> PairCurve:
    """The curve of a pair round its lowest places, which a coarse one shows."""
    low = one.first * steps[0] - other.first * steps[1]
    coarse = np.arange(low - most, low + most + 1, _COARSE)
    error = offset_curve(rig, one, other, steps, coarse, _FRAMES // 3)
    best = coarse[np.argsort(error)[:_PLACES]]
    fine = np.unique((best[:, None] + np.arange(-_COARSE, _COARSE + 1)).ravel())
    return PairCurve((one.view, other.view), fine, offset_curve(rig, one, other, steps, fine))


def synchronise(
    rig: Rig,
    clips: Sequence[ViewClip],
    steps: Floats | None = None,
    most: int | None = None,
    min_confidence: float = 0.3,
) -> Synchronisation:
    """Offsets, and rates where these are unknown, of all views.

    Args:
        rig: V cameras.
        clips: V views.
        steps: `(V,)` where rates are known; None: found, as 1, 2 or 4 common frames a frame.
        most: Frames by which two views begin apart at most; None: half of the shortest clip, at most 600.
        min_confidence: Keypoints below count for nothing.
    """
    joints = _moving_joints(clips)
    moves = [_Moves(rig, view, clip, joints, min_confidence) for view, clip in enumerate(clips)]
    shortest = min(len(move) for move in moves)
    reach = min(max(shortest // 2, 1), 600) if most is None else most
    pairs = view_pairs(len(rig))
    curves = _Curves(rig, moves, reach)
    if steps is not None:
        whole = np.maximum(np.round(steps), 1).astype(np.int64)
    else:
        whole = _found_steps(curves, pairs)
    told = [curves.of(a, b, int(whole[a]), int(whole[b])) for a, b in pairs]
    offsets, unsure = _consistent(rig, moves, told, whole, len(rig))
    return Synchronisation(whole.astype(np.float64), offsets.astype(np.float64), tuple(told), unsure)


class _Curves:
    """Curves of pairs at steps, each searched once."""

    def __init__(self, rig: Rig, moves: list[_Moves], reach: int) -> None:
        self.rig, self.moves, self.reach = rig, moves, reach
        self.found: dict[tuple[int, int, int, int], PairCurve] = {}

    def of(self, a: int, b: int, first: int, second: int) -> PairCurve:
        """The curve of two views whose steps these are."""
        key = (a, b, first, second)
        if key not in self.found:
            reach = self.reach * max(first, second)
            self.found[key] = _searched(self.rig, self.moves[a], self.moves[b], (first, second), reach)
        return self.found[key]


def _found_steps(curves: _Curves, pairs: list[tuple[int, int]]) -> npt.NDArray[np.int64]:
    """`(V,)` steps at which the curves of all pairs together are lowest; the fastest camera has 1."""
    count = len(curves.moves)

    def total(steps: list[int], view: int) -> float:
        found = []
        for a, b in pairs:
            if view in (a, b):
                # Only the ratio counts.
                common = int(np.gcd(steps[a], steps[b]))
                found.append(float(curves.of(a, b, steps[a] // common, steps[b] // common).error.min()))
        finite = [value for value in found if np.isfinite(value)]
        return float(np.mean(finite)) if finite else np.inf

    steps = [1] * count
    # Of a camera of another rate no curve is sharp: those with a sharp one need no trying.
    sharpest = [
        min((curves.of(a, b, 1, 1).sharpness for a, b in pairs if view in (a, b)), default=1.0)
        for view in range(count)
    ]
    doubtful = [view for view in range(count) if sharpest[view] > _CERTAIN]
    for _ in range(2):
        before = list(steps)
        gains: list[tuple[float, int, int]] = []
        for view, step in itertools.product(doubtful, _STEPS):
            if step == steps[view]:
                continue
            now = total(steps, view)
            tried = total([*steps[:view], step, *steps[view + 1 :]], view)
            if tried < _BETTER * now:
                gains.append((tried / now, view, step))
        for _, view, step in sorted(gains):
            now = total(steps, view)
            if total([*steps[:view], step, *steps[view + 1 :]], view) < _BETTER * now:
                steps[view] = step
        if steps == before:
            break
    return np.array(steps, np.int64) // int(np.gcd.reduce(steps))


def _consistent(
    rig: Rig, moves: list[_Moves], curves: list[PairCurve], steps: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], tuple[int, ...]]:
    """Offsets that agree with the curves, the earliest view at 0 by its first frame; and unsure views."""
    offset: dict[int, int] = {0: 0}
    order = sorted(curves, key=lambda curve: curve.sharpness)
    sure = {0}
    while len(offset) < count:
        for curve in order:
            a, b = curve.views
            if (a in offset) != (b in offset):
                if a in offset:
                    offset[b] = offset[a] + curve.best
                else:
                    offset[a] = offset[b] - curve.best
                if curve.sharpness < _SHARP:
                    sure |= {a, b}
                break
        else:
            missing = next(view for view in range(count) if view not in offset)
            offset[missing] = 0
    found = np.array([offset[view] for view in range(count)], np.int64)
    for _ in range(4):
        moved = False
        for view in range(count):
            near = found[view] + np.arange(-4, 5)
            cost = np.zeros(len(near))
            for curve in curves:
                a, b = curve.views
                if view not in (a, b):
                    continue
                other = b if view == a else a
                apart = near - found[other] if view == b else found[other] - near
                error = offset_curve(
                    rig, moves[a], moves[b], (int(steps[a]), int(steps[b])), apart.astype(np.int64)
                )
                floor = max(float(np.min(curve.error)), 1e-6)
                cost += np.where(np.isfinite(error), error, 1e6) / floor
            best = int(near[int(np.argmin(cost))])
            if best != found[view]:
                found[view], moved = best, True
        if not moved:
            break
    unsure = tuple(view for view in range(count) if view not in sure)
    begins = [found[view] + moves[view].first * int(steps[view]) for view in range(count)]
    earliest = int(np.argmin(begins))
    return found - found[earliest], unsure
