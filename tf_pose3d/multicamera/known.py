"""Means and medians over what is there, NaN without a word where nothing is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["mean_known", "median_known"]

Floats = npt.NDArray[np.float64]


def mean_known(values: npt.NDArray[np.floating], axis: int = -1) -> Floats:
    """Mean along an axis over what is not NaN; NaN where everything is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def median_known(values: npt.NDArray[np.floating], axis: int = -1) -> Floats:
    """Median along an axis over what is not NaN; NaN where everything is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    ordered = np.moveaxis(np.sort(np.where(known, values, np.inf), axis=axis), axis, -1)
    if not ordered.shape[-1]:
        return np.full(count.shape, np.nan)
    last = np.maximum(count - 1, 0)
    low = np.take_along_axis(ordered, (last // 2)[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, ((last + 1) // 2)[..., None], axis=-1)[..., 0]
    return np.where(count > 0, (low + high) / 2, np.nan).astype(np.float64)
