"""The one-euro filter, for streams: strong where all is still, quick where something moves."""

from __future__ import annotations

import math

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["OneEuroFilter", "parse_one_euro"]

# Hz at rest, and Hz for each metre a second; the cutoff of the speed itself, as in the authors'
# implementation.
_REST, _SLOPE, _SPEED = 2.0, 5.0, 1.0


def parse_one_euro(text: str) -> tuple[float, float]:
    """Cutoff at rest in Hz and slope in Hz per metre a second of `"one_euro:1.5:3"`; either may be left out.

    Raises:
        Pose3DError: Another filter, or a value that is no number of 0 or more (the cutoff above 0).
    """
    name, *values = text.split(":")
    expected = f"expected one_euro, one_euro:HZ or one_euro:HZ:SLOPE, e.g. one_euro:{_REST:g}:{_SLOPE:g}"
    if name != "one_euro" or len(values) > 2:
        raise Pose3DError(f"smoothing {text!r} of a stream: {expected}")
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        raise Pose3DError(f"smoothing {text!r}: {expected}") from None
    rest, slope = [*numbers, *(_REST, _SLOPE)[len(numbers) :]]
    if not (0 < rest < math.inf and 0 <= slope < math.inf):
        raise Pose3DError(f"smoothing {text!r}: {expected}, the cutoff above 0 and the slope 0 or more")
    return rest, slope


class OneEuroFilter:
    """Filters positions as they come (Casiez, Roussel, Vogel, "1 Euro Filter", CHI 2012).

    Each point's cutoff rises with its speed, so that slow movement is smooth and fast movement hardly late.

    Args:
        fps: Frames per second.
        rest: Hz of the cutoff where nothing moves.
        slope: Hz by which it rises for each metre a second.
    """

    def __init__(self, fps: float, rest: float = _REST, slope: float = _SLOPE) -> None:
        self._fps, self._rest, self._slope = fps, rest, slope
        self._value: np.ndarray | None = None
        self._speed = np.zeros(())

    def reset(self) -> None:
        """Forgets what was seen: after a gap nothing is smoothed across it."""
        self._value = None

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """`(J, 3)` metres of the next frame, filtered, in the dtype that they have."""
        if self._value is None:
            self._value, self._speed = points.astype(np.float64), np.zeros(points.shape)
            return points
        moved = (points - self._value) * self._fps
        self._speed = self._speed + self._share(np.array(_SPEED)) * (moved - self._speed)
        cutoff = self._rest + self._slope * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        self._value = self._value + self._share(cutoff) * (points - self._value)
        return self._value.astype(points.dtype)

    def _share(self, cutoff: np.ndarray) -> np.ndarray:
        """How much of a new value a first-order low-pass of this cutoff takes."""
        ratio = 2 * math.pi * cutoff / self._fps
        return ratio / (ratio + 1)
