"""Numbers out of files: what looks like one is one, or the file is refused at that place."""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.types import Parsed

__all__ = ["LARGEST_PIXEL", "number_table", "positive_number", "shown", "whole_number"]

# No image is this wide; what lies beyond is damage that one bad joint would carry into a pose.
LARGEST_PIXEL = 1e6


def number_table(values: Parsed, where: str) -> np.ndarray:
    """A list of numbers, or of equally long lists of numbers, as float64; None becomes NaN.

    Raises:
        Pose3DError: Something else; an infinite number; the message names it.
    """
    if not isinstance(values, list):
        raise Pose3DError(f"{where}: keypoints must be a list of numbers, not {shown(values)}")
    flat: list[Any] = values
    width = 0
    if values and isinstance(values[0], list):
        lengths = {len(row) if isinstance(row, list) else -1 for row in values}
        if len(lengths) > 1 or -1 in lengths:
            raise Pose3DError(f"{where}: keypoints must be numbers, joint by joint x, y and confidence")
        width = lengths.pop()
        flat = list(itertools.chain.from_iterable(values))
    kinds = set(map(type, flat))
    if not kinds <= {int, float}:
        bad = next((value for value in flat if type(value) not in (int, float, type(None))), None)
        if bad is not None:
            raise Pose3DError(
                f"{where}: keypoints must be numbers, joint by joint x, y and confidence, not {shown(bad)}"
            )
        flat = [math.nan if value is None else value for value in flat]
    try:
        table = np.array(flat, np.float64)
    except OverflowError:
        raise Pose3DError(f"{where}: a number of hundreds of digits among the keypoints") from None
    if np.isinf(table).any():
        raise Pose3DError(f"{where}: an infinite number among the keypoints")
    return table.reshape(len(values), width) if width else table


def whole_number(value: Parsed, what: str, lowest: int = 0, highest: int = 2**53) -> int:
    """A whole number of a file: an int, or a float or array of no dimensions that is one (tables write 12.0).

    Args:
        value: What the file holds.
        what: Names it and the file in messages.
        lowest, highest: What it may be.

    Raises:
        Pose3DError: Another kind of value, or one beyond these.
    """
    if isinstance(value, (np.ndarray, np.generic)) and np.ndim(value) == 0:
        value = value.item()
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}(\.0*)?", value.strip(), re.ASCII):
        value = int(value.strip().split(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not lowest <= value <= highest:
        raise Pose3DError(f"{what} is {shown(value)}, expected a whole number from {lowest} on")
    return value


def positive_number(value: Parsed, what: str, highest: float = 1e9) -> float:
    """A number above 0, e.g. a frame rate.

    Raises:
        Pose3DError: Another kind of value, or one beyond 0 to `highest`.
    """
    if isinstance(value, (np.ndarray, np.generic)) and np.ndim(value) == 0:
        value = value.item()
    if type(value) not in (int, float) or not 0 < value <= highest:
        raise Pose3DError(f"{what} is {shown(value)}, expected a number above 0")
    return float(value)
