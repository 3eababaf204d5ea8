"""Numbers out of calibration files: what must be a matrix is one, or the file is refused at that place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.types import Parsed

__all__ = ["image_size", "numbers", "required", "text_of", "unused_keys"]

# No length, in whatever unit, and no pixel is as large.
_LARGEST = 1e12


def required(table: Mapping[str, Parsed], key: str, where: str) -> Parsed:
    """A key that must be there.

    Raises:
        Pose3DError: It is not; the message lists those that are.
    """
    if key not in table:
        held = ", ".join(str(held)[:40] for held in list(table)[:12]) or "nothing"
        raise Pose3DError(f"{where} has no {key}; it has {held}")
    return table[key]


def numbers(value: Parsed, where: str, *shapes: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """A number or nested lists of numbers as an array.

    Args:
        value: What the file holds.
        where: Names the file, camera and key in messages.
        shapes: What it may be shaped like; a value with as many numbers as the first of equal size is given
            that shape (files write columns for rows). None: a list of any length.

    Raises:
        Pose3DError: It is no such thing, or not finite.
    """
    flat: list[float] = []
    if isinstance(value, np.ndarray) and value.dtype != object:
        value = value.tolist()
    _collect(value, where, flat, 0)
    array = np.array(flat)
    if not shapes:
        return array
    for shape in shapes:
        if math.prod(shape) == len(flat):
            return array.reshape(shape)
    expected = " or ".join("x".join(map(str, shape)) if shape else "one" for shape in shapes)
    raise Pose3DError(f"{where} is {shown(value)}: {len(flat)} numbers, expected {expected}")


def _collect(value: Parsed, where: str, flat: list[float], depth: int) -> None:
    if isinstance(value, (list, tuple)) and depth < 4:
        for part in value:
            _collect(part, where, flat, depth + 1)
            if len(flat) > 1000:
                raise Pose3DError(f"{where} has more than 1000 numbers, which no camera has")
        return
    if isinstance(value, (np.ndarray, np.generic)) and np.ndim(value) == 0:
        value = value.item()
    if type(value) not in (int, float):
        raise Pose3DError(f"{where}: {shown(value)} is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or abs(number) > _LARGEST:
        raise Pose3DError(f"{where} is {shown(value)}, expected a finite number of a camera's size")
    flat.append(number)


def image_size(value: Parsed, where: str) -> tuple[int, int]:
    """Width and height of an image; files write 1088.0, too.

    Raises:
        Pose3DError: They are no two whole positive numbers.
    """
    width, height = numbers(value, where, (2,)).tolist()
    if not (0 < width < 1e6 and 0 < height < 1e6 and width == int(width) and height == int(height)):
        raise Pose3DError(f"{where} is {shown(value)}, expected width and height in whole pixels")
    return int(width), int(height)


def text_of(value: Parsed, where: str) -> str:
    """A name: a text, or a whole number as text.

    Raises:
        Pose3DError: Something else, or nothing.
    """
    if type(value) is int and abs(value) < 10**18:
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise Pose3DError(f"{where} is {shown(value)}, expected a name")
    return value.strip()


def unused_keys(table: Mapping[str, Parsed], known: Sequence[str], where: str) -> list[str]:
    """A note on keys that no reader knows, or none."""
    unknown = [str(key)[:40] for key in table if key not in known]
    return [f"{where}: unknown keys {', '.join(unknown[:8])} are not used"] if unknown else []
