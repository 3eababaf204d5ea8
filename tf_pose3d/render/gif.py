"""Write animated GIF files: frame by frame, so that memory does not grow with their length."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from typing import IO

import numpy as np
from PIL import Image

from tf_pose3d.render.style import Colour

__all__ = ["common_palette", "frame_delays", "write_gif"]

# The last of 256 colours means: unchanged since the picture before.
_TRANSPARENT = 255
_GRID = 8
_PALETTE_PIXELS = 40_000


def frame_delays(count: int, fps: float) -> list[int]:
    """How long each of `count` frames is shown, in the format's unit of 10 ms.

    Delays that are no multiple of 10 ms are rounded so that the clip as a whole keeps its speed. Above 50
    pictures per second browsers slow a file down: they take delays shorter than 20 ms for 100 ms.
    """
    step = 100 / fps
    ends = [round(step * (number + 1)) for number in range(count)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def common_palette(samples: Sequence[Image.Image], pinned: Sequence[Colour] = ()) -> Image.Image:
    """A palette image with 255 colours that serve all samples.

    Args:
        samples: RGB, of one size.
        pinned: Colours that come out exactly, e.g. those of large surfaces.
    """
    width, height = samples[0].size
    page = Image.new("RGB", (width, height * len(samples)))
    for number, sample in enumerate(samples):
        page.paste(sample, (0, number * height))
    count = _TRANSPARENT - len(pinned)
    quantized = page.quantize(count, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    found = np.array(quantized.getpalette("RGB"), np.int16).reshape(-1, 3)
    if len(pinned):
        # Pillow looks colours up on a coarse grid: a close neighbour would take a pinned one's place.
        distance = np.abs(found[:, None] - np.array(pinned, np.int16)).max(axis=2)
        found = np.concatenate([np.array(pinned, np.int16), found[distance.min(axis=1) >= _GRID]])
    palette = Image.new("P", (1, 1))
    palette.putpalette(found.astype(np.uint8).tobytes())
    return palette


def _with_own_palette(picture: Image.Image, pinned: Sequence[Colour]) -> Image.Image:
    # A small copy is enough to find the colours.
    shrink = max(round((picture.width * picture.height / _PALETTE_PIXELS) ** 0.5), 1)
    palette = common_palette([picture.reduce(shrink)], pinned)
    return picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _colour_table(image: Image.Image) -> bytes:
    return bytes(image.getpalette("RGB") or ()).ljust(768, b"\0")[:768]


def _compressed(indices: np.ndarray) -> bytes:
    """The LZW blocks of `(H, W)` colour indices, cut out of a file that holds them alone."""
    buffer = io.BytesIO()
    Image.fromarray(indices).save(buffer, "GIF", optimize=False, interlace=0)
    content = buffer.getvalue()
    # Before the data: header and screen (13 bytes), colour table, extensions, image descriptor (10), table.
    position = 13 + _table_size(content[10])
    while content[position] == 0x21:
        position += 2
        while content[position]:
            position += content[position] + 1
        position += 1
    position += 10 + _table_size(content[position + 9])
    return content[position:-1]


def _table_size(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def write_gif(
    file: IO[bytes],
    pictures: Iterable[Image.Image],
    delays: Sequence[int],
    palette: Image.Image | None = None,
    pinned: Sequence[Colour] = (),
) -> int:
    """Writes pictures as an endlessly repeated animation.

    Args:
        file: Where to.
        pictures: RGB, all of one size, at least one and at most as many as `delays`.
        delays: Units of 10 ms, see `frame_delays`.
        palette: From `common_palette`; None gives each picture a palette of its own and dithers it, for
            video.
        pinned: Colours of those palettes that come out exactly.

    Returns:
        The number of pictures written.
    """
    count, before = 0, None
    for picture, delay in zip(pictures, delays, strict=False):
        if palette is None:
            reduced = _with_own_palette(picture, pinned)
        else:
            reduced = picture.quantize(palette=palette, dither=Image.Dither.NONE)
        indices = np.asarray(reduced)
        if not count:
            file.write(b"GIF89a" + struct.pack("<HHBBB", *picture.size, 0xF7, 0, 0))
            file.write(_colour_table(reduced if palette is None else palette))
            file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")
        left, top, changed = 0, 0, indices
        if before is not None and palette is not None:
            left, top, changed = _difference(before, indices)
        # Each picture is drawn over the one before it.
        transparent = int(palette is not None)
        file.write(b"\x21\xf9\x04" + struct.pack("<BHBB", 4 | transparent, delay, _TRANSPARENT, 0))
        height, width = changed.shape
        local = count > 0 and palette is None
        file.write(b"," + struct.pack("<HHHHB", left, top, width, height, 0x87 if local else 0))
        if local:
            file.write(_colour_table(reduced))
        file.write(_compressed(changed))
        before = indices
        count += 1
    file.write(b";")
    return count


def _difference(before: np.ndarray, after: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Left, top and indices of the region that changed; unchanged pixels in it are transparent."""
    changed = before != after
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not len(rows):
        return 0, 0, np.full((1, 1), _TRANSPARENT, np.uint8)
    region = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    indices = np.where(changed[region], after[region], np.uint8(_TRANSPARENT))
    return int(columns[0]), int(rows[0]), indices
