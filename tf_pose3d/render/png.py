"""Write still pictures: one frame, a sheet of several, or a numbered file for each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tf_pose3d.files import staged
from tf_pose3d.render import style

__all__ = ["SHEET_PICTURES", "sheet_frames", "write_numbered", "write_sheet"]

# A sheet with more pictures than these would show none of them well.
SHEET_PICTURES = 12
_COLUMNS = 2
# Of 9 levels. Against the default of 6 files are a third larger and take half the time.
_FAST = 2


def sheet_frames(count: int) -> np.ndarray:
    """Which of `count` frames a sheet shows: all, or `SHEET_PICTURES` that are spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, SHEET_PICTURES)).round().astype(int))


def write_sheet(path: str | Path, pictures: Iterable[Image.Image]) -> int:
    """Writes pictures of one size on one page, two in a row; a single one stands for itself.

    Returns:
        The number of pictures written.
    """
    pictures = list(pictures)
    width, height = pictures[0].size
    columns = min(len(pictures), _COLUMNS)
    page = Image.new("RGB", (width * columns, height * -(-len(pictures) // columns)), style.PAPER)
    lines = ImageDraw.Draw(page)
    for number, picture in enumerate(pictures):
        left, top = number % columns * width, number // columns * height
        page.paste(picture, (left, top))
        if left:
            lines.line((left, top, left, top + height), fill=style.MUTED)
        if top:
            lines.line((left, top, left + width, top), fill=style.MUTED)
    with staged(path) as temporary:
        page.save(temporary, "PNG")
    return len(pictures)


def write_numbered(pattern: str, pictures: Iterable[Image.Image]) -> int:
    """Writes each picture to a file of its own.

    Args:
        pattern: Path with one `%d` (`%04d`) for the number, counted from 0.
        pictures: Of any size.

    Returns:
        The number of pictures written.
    """
    count = 0
    for picture in pictures:
        with staged(pattern % count) as temporary:
            picture.save(temporary, "PNG", compress_level=_FAST)
        count += 1
    return count
