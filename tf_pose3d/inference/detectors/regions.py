"""Turned squares of an image: where a person is, and what a network sees of it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

__all__ = ["Region", "cut", "region_between", "whole_image"]

# A person's square is so much larger than twice the way from the middle of the hips to the point that tells
# size and direction.
_MARGIN = 1.25
# The networks' authors interpolate between pixels in steps of a 32nd, to whole levels of brightness, and what
# the networks find depends on it: with exact places landmarks differ by two pixels.
_FINEST_BITS = 5
_FINEST = 1 << _FINEST_BITS
_EVEN_BYTES = np.uint32(0x00FF00FF)


@dataclasses.dataclass(frozen=True)
class Region:
    """A square of an image.

    Attributes:
        x, y: Its middle, pixels.
        size: Its side, pixels.
        angle: By how much it is turned, radians, clockwise as seen.
    """

    x: float
    y: float
    size: float
    angle: float = 0.0

    def moved(self, step: np.ndarray) -> Region:
        """The square `(2,)` pixels further."""
        return dataclasses.replace(self, x=self.x + float(step[0]), y=self.y + float(step[1]))

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """`(..., 2)` pixels of the image, of points in fractions of the square."""
        offset = (points - 0.5) * self.size
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        turned = offset @ np.array([[cos, sin], [-sin, cos]])
        return turned + np.array([self.x, self.y])

    def overlaps(self, other: Region) -> bool:
        """Whether the other square is about the same: of similar size, at a similar place."""
        larger, smaller = max(self.size, other.size), min(self.size, other.size)
        apart = math.hypot(self.x - other.x, self.y - other.y)
        return larger < 1.7 * smaller and apart < 0.12 * larger

    def inside(self, width: int, height: int) -> bool:
        """Whether its middle lies in an image."""
        return 0 <= self.x < width and 0 <= self.y < height


def whole_image(width: int, height: int) -> Region:
    """The square that holds an image, with its middle there."""
    return Region(width / 2, height / 2, max(width, height))


def region_between(middle: np.ndarray, top: np.ndarray) -> Region:
    """A person's square, which stands upright with the person.

    Args:
        middle: `(2,)` pixels: the middle of the hips.
        top: `(2,)` pixels: the point that tells size and direction, above it in a person who stands.
    """
    step = np.asarray(top, np.float64) - middle
    angle = math.pi / 2 - math.atan2(-step[1], step[0])
    angle = (angle + math.pi) % (2 * math.pi) - math.pi
    size = max(2 * math.hypot(step[0], step[1]) * _MARGIN, 1.0)
    return Region(float(middle[0]), float(middle[1]), size, angle)


def cut(image: np.ndarray, region: Region, side: int, repeat_edges: bool) -> np.ndarray:
    """What lies in a square, by bilinear interpolation.

    Args:
        image: `(H, W, 4)` uint8, its rows one behind the other: red, green, blue and anything.
        region: The square; it may reach beyond the image.
        side: Pixels of what is returned.
        repeat_edges: Beyond the image lie its edges; else black.

    Returns:
        `(side, side, 3)` float32, whole numbers from 0 to 255.
    """
    height, width = image.shape[:2]
    steps = ((np.arange(side) / side - 0.5) * region.size).astype(np.float32)
    cos, sin = np.float32(math.cos(region.angle)), np.float32(math.sin(region.angle))
    # Far squares would not fit into 32 bits.
    x = np.clip((cos * steps + np.float32(region.x))[None] - (sin * steps)[:, None], -2, width + 1)
    y = np.clip((sin * steps + np.float32(region.y))[None] + (cos * steps)[:, None], -2, height + 1)
    x, y = (np.rint(place * _FINEST).astype(np.int32) for place in (x, y))
    left, top = x >> _FINEST_BITS, y >> _FINEST_BITS
    across, down = ((place & (_FINEST - 1)).astype(np.uint32) for place in (x, y))
    # Whole pixels are fetched at once, red in the lowest of four bytes.
    pixels = image.reshape(-1).view("<u4")
    columns = [np.clip(left + step, 0, width - 1) for step in (0, 1)]
    rows = [np.clip(top + step, 0, height - 1) * width for step in (0, 1)]

    def at(row: int, column: int) -> np.ndarray:
        found = pixels.take(rows[row] + columns[column])
        if not repeat_edges:
            there = (left + column >= 0) & (left + column < width) & (top + row >= 0) & (top + row < height)
            found *= there
        return found

    def mixed(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
        """`_FINEST` times the mixture; two values of 16 bits that lie in one of 32 are mixed at once."""
        return first * (_FINEST - share) + second * share

    upper, lower = ((at(row, 0), at(row, 1)) for row in (0, 1))
    # Red and blue side by side, and green.
    upper_pair, lower_pair = (mixed(a & _EVEN_BYTES, b & _EVEN_BYTES, across) for a, b in (upper, lower))
    upper_green, lower_green = (mixed(a >> 8 & 255, b >> 8 & 255, across) for a, b in (upper, lower))
    result = np.empty((side, side, 3), np.float32)
    for channel, first, second in (
        (0, upper_pair & 0xFFFF, lower_pair & 0xFFFF),
        (1, upper_green, lower_green),
        (2, upper_pair >> 16, lower_pair >> 16),
    ):
        result[..., channel] = mixed(first, second, down) + _FINEST**2 // 2 >> 2 * _FINEST_BITS
    return result
