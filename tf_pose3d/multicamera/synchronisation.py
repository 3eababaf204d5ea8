"""When each camera began to record, found from the geometry of what the cameras saw.

At the right offset every joint of one view lies on its epipolar line of another. So each pair of views has a
curve: how far keypoints are from those lines at every offset. The pairs whose curves are sharpest say first
how the views hang together; then every view is moved to where all its curves together are lowest. The rate of
a camera is found the same way, as one of a few ratios to the fastest. Parts of a frame come last: round its
least place a curve of squared distances is a parabola, whose middle need not be a whole frame.
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

# Slower cameras' frames in those of the fastest: halves and quarters; then those of other rates that cameras
# are sold with (24, 25, 30, 48, 50, 60, 100, 120 per second), which are tried where no curve is sharp yet.
_STEPS = (1.0, 2.0, 4.0)
_ODD_STEPS = (1.2, 1.25, 5 / 3, 2.4, 2.5)
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
# Frames round the least place through which a parabola goes, how many tell it, and stretches of them that are
# left out by turns; parts of a frame below so many, or below so many standard errors, are none.
_ROUND, _MANY, _STRETCHES = 3, 720, 8
_PART, _SURE = 0.15, 4.0


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
        offsets: `(V,)` common frame of each view's frame 0, whole or in parts of a frame; the earliest view
            has 0.
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

    def at(self, time: npt.NDArray[np.number], step: float) -> Floats:
        """Rays `(..., P, J, 2)` at times `(...)` of the view's frame 0, in common frames: between a slower
        camera's frames in proportion; NaN outside.
        """
        own = time / step - self.first
        left = np.floor(own + 1e-9).astype(np.int64)
        share = own - left
        inside = (left >= 0) & (left < len(self))
        values = self.rays[np.clip(left, 0, len(self) - 1)]
        if share.any():
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
    steps: tuple[float, float],
    offsets: npt.NDArray[np.number],
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
    table, cap = _distances(rig, one, other, steps, offsets, frames)
    table = table.reshape(len(offsets), -1)
    count = np.isfinite(table).sum(axis=1)
    enough = count >= max(8, 0.25 * count.max())
    if not np.isfinite(cap):
        return np.full(len(offsets), np.inf)
    cut = np.where(np.isfinite(table), np.minimum(table, cap), 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(enough, cut, np.inf)


def _distances(
    rig: Rig,
    one: _Moves,
    other: _Moves,
    steps: tuple[float, float],
    offsets: npt.NDArray[np.number],
    frames: int,
) -> tuple[Floats, float]:
    """Pixels from epipolar lines `(L, F, P * J)`, infinite where a keypoint is missing, and where to cut them
    off: infinity where too little overlaps.
    """
    # Of a slower camera, by the frames that it has.
    every = (one.first + np.arange(len(one), dtype=np.float64)) * steps[0]
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
        tables.append(apart)
    table = np.concatenate(tables)
    table = table.reshape(*table.shape[:2], -1)
    flat = table.reshape(len(offsets), -1)
    count = np.isfinite(flat).sum(axis=1)
    enough = count >= max(8, 0.25 * count.max())
    medians = np.where(enough, median_known(np.where(np.isfinite(flat), flat, np.nan)), np.inf)
    return table, _CAP * float(medians.min()) + 1e-6 if enough.any() else np.inf


def _searched(rig: Rig, one: _Moves, other: _Moves, steps: tuple[float, float], most: int) -> PairCurve:
    """The curve of a pair round its lowest places, which a coarse one shows."""
    low = round(one.first * steps[0] - other.first * steps[1])
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
        steps: `(V,)` where rates are known; None: found, as 1 to 4 common frames a frame.
        most: Frames by which two views begin apart at most; None: half of the shortest clip, at most 600.
        min_confidence: Keypoints below count for nothing.
    """
    joints = _moving_joints(clips)
    moves = [_Moves(rig, view, clip, joints, min_confidence) for view, clip in enumerate(clips)]
    shortest = min(len(move) for move in moves)
    reach = min(max(shortest // 2, 1), 600) if most is None else most
    pairs = view_pairs(len(rig))
    curves = _Curves(rig, moves, reach)
    held = _found_steps(curves, pairs) if steps is None else np.maximum(steps, 1.0)
    told = [curves.of(a, b, float(held[a]), float(held[b])) for a, b in pairs]
    whole, unsure = _consistent(rig, moves, told, held, len(rig))
    offsets = whole + _parts(rig, moves, told, held, whole, unsure)
    begins = offsets + [move.first * step for move, step in zip(moves, held, strict=True)]
    return Synchronisation(held, offsets - offsets[int(np.argmin(begins))], tuple(told), unsure)


class _Curves:
    """Curves of pairs at steps, each searched once."""

    def __init__(self, rig: Rig, moves: list[_Moves], reach: int) -> None:
        self.rig, self.moves, self.reach = rig, moves, reach
        self.found: dict[tuple[int, int, float, float], PairCurve] = {}

    def of(self, a: int, b: int, first: float, second: float) -> PairCurve:
        """The curve of two views whose steps these are."""
        key = (a, b, round(first, 4), round(second, 4))
        if key not in self.found:
            reach = round(self.reach * max(first, second))
            self.found[key] = _searched(self.rig, self.moves[a], self.moves[b], (first, second), reach)
        return self.found[key]


def _found_steps(curves: _Curves, pairs: list[tuple[int, int]]) -> Floats:
    """`(V,)` steps at which the curves of all pairs together are lowest; the fastest camera has 1."""
    count = len(curves.moves)

    def total(steps: list[float], view: int) -> float:
        found = []
        for a, b in pairs:
            if view in (a, b):
                # Only the ratio counts.
                common = min(steps[a], steps[b])
                found.append(float(curves.of(a, b, steps[a] / common, steps[b] / common).error.min()))
        finite = [value for value in found if np.isfinite(value)]
        return float(np.mean(finite)) if finite else np.inf

    def sharp(view: int) -> list[float]:
        return [
            curves.of(a, b, steps[a] / min(steps[a], steps[b]), steps[b] / min(steps[a], steps[b])).sharpness
            for a, b in pairs
            if view in (a, b)
        ]

    def improve(doubtful: list[int], choices: tuple[float, ...]) -> None:
        for _ in range(2):
            before = list(steps)
            gains: list[tuple[float, int, float]] = []
            for view, step in itertools.product(doubtful, choices):
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

    steps = [1.0] * count
    # Of a camera of another rate no curve is sharp: those with a sharp one need no trying, but where rates
    # are odd, of which two may have an even ratio.
    improve([view for view in range(count) if min(sharp(view), default=1.0) > _CERTAIN], _STEPS)
    odd = [view for view in range(count) if steps[view] > 1 or np.median(sharp(view)) > _SHARP]
    improve(odd, (1.0, *_ODD_STEPS))
    return np.array(steps) / min(steps)


def _consistent(
    rig: Rig, moves: list[_Moves], curves: list[PairCurve], steps: Floats, count: int
) -> tuple[npt.NDArray[np.int64], tuple[int, ...]]:
    """Whole offsets that agree with the curves, of the first view 0; and unsure views."""
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
                error = offset_curve(rig, moves[a], moves[b], (float(steps[a]), float(steps[b])), apart)
                floor = max(float(np.min(curve.error)), 1e-6)
                cost += np.where(np.isfinite(error), error, 1e6) / floor
            best = int(near[int(np.argmin(cost))])
            if best != found[view]:
                found[view], moved = best, True
        if not moved:
            break
    unsure = tuple(view for view in range(count) if view not in sure)
    return found, unsure


def _parts(
    rig: Rig,
    moves: list[_Moves],
    curves: list[PairCurve],
    steps: Floats,
    whole: npt.NDArray[np.int64],
    unsure: tuple[int, ...],
) -> Floats:
    """`(V,)` parts of a frame by which views begin later than whole offsets say; 0 where that is not sure.

    Keypoints are never taken between the frames of one rate for it, which would quieten their noise and so
    favour the places between.
    """
    count = len(moves)
    pairs, tables = [], []
    for curve in curves:
        a, b = curve.views
        if a in unsure or b in unsure or curve.sharpness > _SHARP:
            continue
        pairs.append((a, b))
        tables.append(_round_least(rig, moves, (a, b), steps, int(whole[b] - whole[a])))
    if not pairs:
        return np.zeros(count)
    # All stretches, and without each of them: how much the result owes to chance.
    kept = np.concatenate([np.ones((1, _STRETCHES)), 1 - np.eye(_STRETCHES)])
    solved = np.stack([_solve_parts(pairs, tables, weights, count) for weights in kept])
    spread = np.sqrt((_STRETCHES - 1) * np.mean((solved[1:] - solved[1:].mean(axis=0)) ** 2, axis=0))
    parts = solved[0]
    # As many views as can be have whole offsets.
    base = min(parts, key=lambda start: float(np.abs((parts - start) - np.round(parts - start)).sum()))
    parts = parts - base
    sure = np.abs(parts) > np.maximum(_PART, _SURE * spread)
    return np.where(sure & np.isfinite(parts), parts, 0.0)


def _solve_parts(
    pairs: list[tuple[int, int]],
    tables: list[tuple[Floats, Floats]],
    weights: npt.NDArray[np.floating],
    count: int,
) -> Floats:
    """`(V,)` parts of a frame by which views are later, on the whole 0, from the parabolas of pairs."""
    lags = np.arange(-_ROUND, _ROUND + 1)
    matrix, right = np.zeros((len(pairs) + 1, count)), np.zeros(len(pairs) + 1)
    matrix[-1] = 1e-3
    for row, ((a, b), (total, frames)) in enumerate(zip(pairs, tables, strict=True)):
        error = weights @ total / np.maximum(weights @ frames, 1)
        if not (weights @ frames).all() or error.min() <= 0:
            continue
        bend, slope, _ = np.polyfit(lags, error / error.min(), 2)
        if bend > 0:
            matrix[row, a], matrix[row, b] = -np.sqrt(bend), np.sqrt(bend)
            right[row] = np.sqrt(bend) * float(np.clip(-slope / (2 * bend), -1.0, 1.0))
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0])


def _round_least(
    rig: Rig, moves: list[_Moves], views: tuple[int, int], steps: Floats, apart: int
) -> tuple[Floats, Floats]:
    """Sums of squared distances of stretches of frames `(S, L)` at lags round a pair's offset, and how many
    distances they are.
    """
    a, b = views
    # The slower camera's own frames are asked, between which the faster one has some.
    turned = steps[b] > steps[a]
    first, second = (b, a) if turned else (a, b)
    lags = (-apart if turned else apart) + np.arange(-_ROUND, _ROUND + 1)
    table, cap = _distances(
        rig, moves[first], moves[second], (float(steps[first]), float(steps[second])), lags, _MANY
    )
    held = np.where(np.isfinite(table), np.minimum(table, cap), 0.0) ** 2
    seen = np.isfinite(table)
    parts = np.array_split(np.arange(table.shape[1]), _STRETCHES)
    total = np.stack([held[:, part].sum(axis=(1, 2)) for part in parts])
    frames = np.stack([seen[:, part].sum(axis=(1, 2)) for part in parts]).astype(np.float64)
    return (total[:, ::-1], frames[:, ::-1]) if turned else (total, frames)
