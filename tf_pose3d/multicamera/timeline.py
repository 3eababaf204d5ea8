"""One time for all views: frame numbers, offsets, and cameras of different rates.

A view's frame n is frame `step * n + offset` of the common time, whose rate is the fastest camera's: a camera
of half the rate has step 2, one that began to record seven frames late offset 7. What a view does not show
stays missing; only between two frames of a slower camera its keypoints are interpolated.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.detections import ViewDetections
from tf_pose3d.multicamera.inputs import ViewClip

__all__ = ["Timeline", "fill_between", "make_timeline", "on_timeline", "view_rates"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Frames per second where nothing tells: what Pose2Sim writes without a video.
DEFAULT_RATE = 30.0
# The longest clip, as a guard against damaged numbers: four hours at 250 per second.
_LONGEST = 4_000_000
_HIGHEST_RATE = 100_000.0


@dataclasses.dataclass(frozen=True, eq=False)
class Timeline:
    """The common time.

    Attributes:
        fps: Frames per second.
        steps: `(V,)` common frames from one frame of a view to the next.
        offsets: `(V,)` common frame of each view's frame 0.
        first: Number of the first common frame.
        count: How many there are, F.
    """

    fps: float
    steps: Floats
    offsets: Floats
    first: int
    count: int

    @property
    def numbers(self) -> npt.NDArray[np.int64]:
        """`(F,)` the frames' numbers."""
        return np.arange(self.first, self.first + self.count, dtype=np.int64)


def view_rates(
    clips: Sequence[ViewClip],
    fps: float | None = None,
    rates: Mapping[str, float] | None = None,
    default: float = DEFAULT_RATE,
) -> tuple[Floats, list[str]]:
    """Frames per second of each view, and what was supposed, a line each.

    Args:
        clips: V views.
        fps: Of all of them; None: what the files say.
        rates: View -> its own, over both.
        default: Of all, where nothing tells.

    Raises:
        Pose3DError: A rate that is none, or of a view that is not there.
    """
    rates = dict(rates or {})
    labels = [clip.label for clip in clips]
    for label, rate in [*rates.items(), *([] if fps is None else [("", fps)])]:
        if label and label not in labels:
            raise Pose3DError(
                f"rate {label}={rate:g}: there is no view {label}; there are {', '.join(labels)}"
            )
        if not 0 < rate <= _HIGHEST_RATE:
            raise Pose3DError(f"a rate of {rate:g} frames per second, expected a number above 0")
    known = [rates.get(clip.label, fps if fps is not None else clip.fps) for clip in clips]
    told = [rate for rate in known if rate is not None]
    notes = []
    if not told:
        notes.append(f"no view tells its frame rate: taken as {default:g} per second (--fps)")
    elif len(told) < len(known):
        silent = ", ".join(label for label, rate in zip(labels, known, strict=True) if rate is None)
        notes.append(
            f"{silent} tell no frame rate: taken as {max(told):g} per second, as the fastest (--rates)"
        )
    usual = max(told) if told else default
    return np.array([usual if rate is None else rate for rate in known]), notes


def make_timeline(
    clips: Sequence[ViewClip],
    rates: Floats,
    offsets: Floats,
) -> Timeline:
    """The time that holds every frame of every view.

    Args:
        clips: V views.
        rates: `(V,)` frames per second.
        offsets: `(V,)` common frames, see `Timeline`.

    Raises:
        Pose3DError: Numbers so far apart that they can only be damage.
    """
    fps = float(rates.max())
    steps = fps / rates
    nearly = np.round(steps)
    steps = np.where(np.abs(steps - nearly) < 1e-3 * steps, nearly, steps)
    begins, ends = [], []
    for clip, step, offset in zip(clips, steps, offsets, strict=True):
        if len(clip.numbers):
            begins.append(math.ceil(clip.numbers[0] * step + offset - 1e-6))
            ends.append(math.floor(clip.numbers[-1] * step + offset + 1e-6))
    if not begins:
        raise Pose3DError("none of the views has a frame")
    first, count = min(begins), max(ends) - min(begins) + 1
    if count > _LONGEST:
        early = clips[int(np.argmin(begins))]
        late = clips[int(np.argmax(ends))]
        raise Pose3DError(
            f"{early.source} begins at frame {min(begins)} and {late.source} ends at frame {max(ends)}: too "
            f"far apart for one recording; are these numbers right? (--offsets)"
        )
    return Timeline(fps, steps, np.asarray(offsets, np.float64), first, count)


def on_timeline(clip: ViewClip, view: int, timeline: Timeline) -> ViewDetections:
    """A view's detections by the frames of the common time, from 0.

    Detections between two common frames are interpolated onto those, along the view's own people, by cubics
    through four neighbours where these follow each other, else by straight lines.
    """
    step, offset = float(timeline.steps[view]), float(timeline.offsets[view])
    time = clip.number * step + offset - timeline.first
    frame = np.round(time).astype(np.int64)
    if step >= 1 and np.allclose(time, frame, atol=1e-3):
        return ViewDetections(frame, clip.keypoints)
    frames, points = [np.zeros(0, np.int64)], [clip.keypoints[:0]]
    for who in np.unique(clip.track):
        rows = np.flatnonzero(clip.track == who)
        begin = math.ceil(time[rows[0]] - 1e-6)
        wanted = np.arange(begin, math.floor(time[rows[-1]] + 1e-6) + 1)
        right = np.clip(np.searchsorted(time[rows], wanted - 1e-6), 1, max(len(rows) - 1, 1))
        if len(rows) == 1:
            continue
        left = right - 1
        before, after = time[rows[left]], time[rows[right]]
        near = after - before < 2.5 * max(step, 1)
        share = ((wanted - before) / np.maximum(after - before, 1e-9)).astype(np.float32)[:, None, None]
        values = _between(clip.keypoints[rows], time[rows], left, share, step)
        kept = near & np.isfinite(values[..., 0]).any(axis=1)
        frames.append(wanted[kept])
        points.append(values[kept])
    frame, keypoints = np.concatenate(frames), np.concatenate(points)
    inside = (frame >= 0) & (frame < timeline.count)
    order = np.argsort(frame[inside], kind="stable")
    return ViewDetections(frame[inside][order], keypoints[inside][order].astype(np.float32))


def _between(
    values: Singles, time: npt.NDArray[np.floating], left: npt.NDArray[np.int64], share: Singles, step: float
) -> Singles:
    """Keypoints `(n, J, 3)` of one person between their rows `left` and the next."""
    right = left + 1
    one, other = values[left], values[right]
    result = one * (1 - share) + other * share
    before, after = np.maximum(left - 1, 0), np.minimum(right + 1, len(values) - 1)
    even = np.isclose(time[after] - time[before], 3 * step, rtol=0.01)
    if even.any():
        curve = _cubic(values[before[even]], one[even], other[even], values[after[even]], share[even])
        result[even] = np.where(np.isfinite(curve[..., :1]), curve, result[even])
    result[..., 2] = np.minimum(one[..., 2], other[..., 2])
    # Frames of the view's own are as they are.
    for place, rows in ((share[:, 0, 0] < 1e-4, left), (share[:, 0, 0] > 1 - 1e-4, right)):
        result[place] = values[rows[place]]
    return result


def _cubic(before: Singles, left: Singles, right: Singles, after: Singles, share: Singles) -> Singles:
    """Hermite's cubic between two values, its slopes those of the neighbours (Catmull and Rom 1974)."""
    steep_left = np.where(np.isfinite(before), (right - before) / 2, right - left)
    steep_right = np.where(np.isfinite(after), (after - left) / 2, right - left)
    s2, s3 = share * share, share * share * share
    return np.asarray(
        (2 * s3 - 3 * s2 + 1) * left
        + (s3 - 2 * s2 + share) * steep_left
        + (3 * s2 - 2 * s3) * right
        + (s3 - s2) * steep_right
    )


def fill_between(keypoints: Singles, steps: Floats) -> None:
    """Fills, in place, the frames between those of slower cameras, with cubics through the neighbours.

    Args:
        keypoints: `(V, F, J, 3)` of one person, NaN where missing.
        steps: `(V,)`; views of step 1, and of no whole number, whose frames `on_timeline` has interpolated,
            stay as they are.
    """
    for view, step in enumerate(steps):
        gap = round(step)
        frames = keypoints.shape[1]
        if gap < 2 or frames <= gap or abs(step - gap) > 1e-6:
            continue
        values = keypoints[view]
        real = np.isfinite(values[..., 0])
        padded = np.pad(values, ((gap, 2 * gap), (0, 0), (0, 0)), constant_values=np.nan)
        for place in range(1, gap):
            share = np.float32(place / gap)
            # Frame f lies `place` behind a real one: its neighbours are at -gap, 0, gap and 2 gap from that.
            base = np.arange(frames - gap)
            before, left = padded[base], padded[base + gap]
            right, after = padded[base + 2 * gap], padded[base + 3 * gap]
            curve = _cubic(before, left, right, after, np.asarray(share))
            curve[..., 2] = np.minimum(left[..., 2], right[..., 2])
            target = base + place
            fill = ~real[target] & real[base] & real[base + gap]
            part = values[target]
            part[fill] = curve[fill]
            values[target] = part
