"""Smoothing of clips: which filters there are, and a Butterworth filter forwards and backwards."""

from __future__ import annotations

import math

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["FILTERS", "SHORTEST", "check_cutoff", "parse_smoothing", "present_runs", "smooth_positions"]

# Hz, where only the filter is named: what gait laboratories take for walking (Winter, Biomechanics and Motor
# Control of Human Movement, 4th edition, section 2.2.4.4).
_CUTOFF = 6.0
# Filters of clips by name, and the cutoff where only the name is given. The smoother's was chosen on held-out
# motion.
FILTERS = {"butterworth": _CUTOFF, "rts": 4.0}
# Frames that are mirrored at either end of a run, so that the filter has settled where it begins.
_PADDING = 9
# A run with fewer frames has nothing to mirror.
SHORTEST = _PADDING + 1


def parse_smoothing(text: str) -> tuple[str, float]:
    """Filter and cutoff in Hz of `"butterworth:6"` or `"rts:4"`; the name alone means the cutoff of
    `FILTERS`.

    Raises:
        Pose3DError: Another filter, or a cutoff that is no number above 0.
    """
    name, colon, cutoff = text.partition(":")
    if name == "one_euro":
        raise Pose3DError(
            f"smoothing {text!r} is for streams; a clip takes butterworth or rts, which delay nothing"
        )
    if name not in FILTERS:
        raise Pose3DError(
            f"smoothing {text!r}: expected butterworth or rts, with a cutoff or without, e.g. butterworth:6"
        )
    try:
        hertz = float(cutoff) if colon else FILTERS[name]
    except ValueError:
        hertz = math.nan
    if not 0 < hertz < math.inf:
        raise Pose3DError(f"smoothing {text!r}: {cutoff!r} is no cutoff, expected a number of Hz above 0")
    return name, hertz


def check_cutoff(cutoff: float, fps: float) -> None:
    """Finds a cutoff in Hz that frames at `fps` per second cannot show.

    Raises:
        Pose3DError: It is not between 0 and half of `fps`.
    """
    if not 0 < cutoff < fps / 2:
        raise Pose3DError(
            f"a cutoff of {cutoff:g} Hz at {fps:g} frames per second, expected above 0 and below {fps / 2:g}"
        )


def present_runs(present: np.ndarray) -> list[tuple[int, int]]:
    """First frame and frame after the last of each run of frames with a pose.

    Args:
        present: `(F,)` bool.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], present, [False]]).astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def smooth_positions(
    positions: np.ndarray, present: np.ndarray, fps: float, cutoff: float = _CUTOFF
) -> tuple[np.ndarray, int]:
    """Positions without what is faster than a cutoff; each run of frames with a pose on its own.

    A Butterworth filter of second order runs over the frames and back: fourth order, without delay, half the
    amplitude at the cutoff. Runs shorter than `SHORTEST` frames stay as they are.

    Args:
        positions: `(F, ...)` in any unit; NaN where not `present`.
        present: `(F,)` bool.
        fps: Frames per second.
        cutoff: Hz, below half of `fps`.

    Returns:
        Positions of the same shape and dtype, and how many frames lie in runs too short to smooth.

    Raises:
        Pose3DError: A cutoff that the rate cannot show.
    """
    check_cutoff(cutoff, fps)
    smooth, left = positions.copy(), 0
    for first, end in present_runs(present):
        if end - first < SHORTEST:
            left += end - first
            continue
        run = positions[first:end].reshape(end - first, -1).astype(np.float64)
        smooth[first:end] = _both_ways(run, cutoff / fps).reshape(positions[first:end].shape)
    return smooth, left


def _both_ways(values: np.ndarray, cutoff: float) -> np.ndarray:
    """`(n, C)` filtered forwards and backwards; the cutoff is in cycles per frame."""
    # Both ends continue as their mirror image through the end point, so that neither value nor slope jumps.
    before = 2 * values[0] - values[_PADDING:0:-1]
    after = 2 * values[-1] - values[-2 : -_PADDING - 2 : -1]
    longer = np.concatenate([before, values, after])
    for _ in range(2):
        longer = _second_order(longer, cutoff)[::-1]
    return longer[_PADDING:-_PADDING]


def _second_order(values: np.ndarray, cutoff: float) -> np.ndarray:
    """`(n, C)` through a Butterworth low-pass of second order that has always seen the first value.

    The coefficients are those of the bilinear transform with the cutoff prewarped (Oppenheim and Schafer,
    Discrete-Time Signal Processing, section 7.1).
    """
    warped = math.tan(math.pi * cutoff)
    scale = 1 + math.sqrt(2) * warped + warped**2
    gain = warped**2 / scale
    back1, back2 = 2 * (warped**2 - 1) / scale, (1 - math.sqrt(2) * warped + warped**2) / scale
    result = np.empty_like(values)
    # Steady state: input and output have been the first value for ever.
    in1 = in2 = out1 = out2 = values[0]
    for number, value in enumerate(values):
        out = gain * (value + 2 * in1 + in2) - back1 * out1 - back2 * out2
        result[number] = out
        in1, in2, out1, out2 = value, in1, out, out1
    return result
