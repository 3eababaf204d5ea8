"""C3D marker files, read here: ezc3d does not come back from some damaged ones.

Source of the format: the C3D user guide of c3d.org. A header, parameters in groups, then frames of points,
each x, y, z and a word that tells whether it was seen, with the analog channels' values behind the points.
"""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.markers import markers_to_motion
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions

__all__ = ["read"]

_UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}
_BLOCK = 512
# Processor -> byte order; DEC's floats are of a kind of their own.
_ORDERS = {84: "<", 86: ">"}
_TYPES = {-1: "S1", 1: "i1", 2: "i2", 4: "f4"}
# No coordinate in any of the units is larger.
_LARGEST = 1e7


class _Damaged(Exception):
    """A file that is not what it should be; the text says how."""


@dataclasses.dataclass(frozen=True)
class _Points:
    """`(F, M, 3)` in the file's unit, NaN where a point was not seen; its facts as the file states them."""

    positions: npt.NDArray[np.float64]
    labels: list[str]
    unit: str
    rate: float


def read(path: Path, options: ReadMotionOptions) -> Motion:
    """Reads points by their labels; occluded ones are missing.

    Raises:
        Pose3DError: No such file, a damaged one, or no point has a known label.
    """
    try:
        found = _points(path.read_bytes())
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    except (_Damaged, struct.error) as error:
        raise Pose3DError(f"{path} is no C3D file, or damaged: {error}") from None
    if options.fps is None and not 1 <= found.rate <= 10_000:
        raise Pose3DError(f"{path}: a rate of {found.rate:g} per second, expected 1 to 10,000: give the rate")
    positions = found.positions
    positions[(positions == 0).all(axis=2)] = np.nan
    metres = _UNITS.get(found.unit)
    return markers_to_motion(positions, found.labels, found.rate, str(path), options, metres, usual_up="z")


def _points(content: bytes) -> _Points:
    if len(content) < _BLOCK or content[1] != 0x50:
        raise _Damaged("it does not begin as one")
    start = (max(content[0], 1) - 1) * _BLOCK
    if start + 4 > len(content):
        raise _Damaged("it ends before its parameters")
    order = _ORDERS.get(content[start + 3])
    if order is None:
        raise _Damaged(f"its numbers are of processor {content[start + 3]}, expected 84 (Intel) or 86 (MIPS)")
    held = _parameters(content, start, order)
    _, markers, analog, first, last = struct.unpack_from(f"{order}5H", content, 0)
    (scale,) = struct.unpack_from(f"{order}f", content, 12)
    (block,) = struct.unpack_from(f"{order}H", content, 16)
    (rate,) = struct.unpack_from(f"{order}f", content, 20)
    markers = int(_number(held, "POINT:USED", markers)) & 0xFFFF
    scale, rate = _number(held, "POINT:SCALE", scale), _number(held, "POINT:RATE", rate)
    block = int(_number(held, "POINT:DATA_START", block)) & 0xFFFF
    dtype = np.dtype(f"{order}f4" if scale < 0 else f"{order}i2")
    row = (4 * markers + analog) * dtype.itemsize
    place = (max(block, 1) - 1) * _BLOCK
    # The header counts to 65,535; what is there beyond is told by the size of the file.
    frames = last - first + 1
    if last == 0xFFFF or frames < 1:
        frames = (len(content) - place) // row if row else 0
    if not markers or frames < 1:
        raise _Damaged(f"{markers} points in {frames} frames")
    if place + frames * row > len(content):
        raise _Damaged(
            f"{frames} frames of {row} bytes are announced, {max(len(content) - place, 0)} bytes are there"
        )
    values = np.frombuffer(content, dtype, frames * (row // dtype.itemsize), place).reshape(frames, -1)
    with np.errstate(over="ignore", invalid="ignore"):
        points = values[:, : 4 * markers].reshape(frames, markers, 4).astype(np.float64)
        positions = points[..., :3] * (1.0 if scale < 0 else scale)
        positions[(points[..., 3] < 0) | ~(np.abs(positions) <= _LARGEST).all(axis=2)] = np.nan
    labels = _labels(held, markers)
    unit = held.get("POINT:UNITS")
    text = _text(unit.reshape(-1)) if unit is not None and unit.dtype.kind == "S" else ""
    return _Points(positions, labels, text.lower(), rate)


def _parameters(content: bytes, start: int, order: str) -> dict[str, np.ndarray]:
    """`GROUP:NAME` -> array, axes as in the file, the last one first."""
    groups: dict[int, str] = {}
    found: list[tuple[int, str, np.ndarray]] = []
    place = start + 4
    while place + 2 <= len(content):
        length, group = struct.unpack_from("bb", content, place)
        length = abs(length)
        if not length or not group:
            break
        name = content[place + 2 : place + 2 + length].decode("latin1").strip().upper()
        after = place + 2 + length
        (offset,) = struct.unpack_from(f"{order}H", content, after)
        if group < 0:
            groups[-group] = name
        else:
            found.append((group, name, _array(content, after + 2, order, name)))
        if not offset:
            break
        place = after + offset
    return {f"{groups.get(group, group)}:{name}": values for group, name, values in found}


def _array(content: bytes, place: int, order: str, name: str) -> np.ndarray:
    kind, axes = struct.unpack_from("bB", content, place)
    if kind not in _TYPES or axes > 7:
        raise _Damaged(f"its parameter {shown(name)} is of type {kind} with {axes} axes")
    shape = tuple(content[place + 2 : place + 2 + axes])
    dtype = np.dtype(_TYPES[kind]) if kind < 2 else np.dtype(f"{order}{_TYPES[kind]}")
    count = int(np.prod(shape, dtype=object)) if shape else 1
    begin = place + 2 + axes
    if begin + count * dtype.itemsize > len(content):
        raise _Damaged(f"its parameter {shown(name)} ends behind the file")
    return np.frombuffer(content, dtype, count, begin).reshape(shape[::-1])


def _number(held: dict[str, np.ndarray], name: str, default: float) -> float:
    values = held.get(name)
    if values is None or values.dtype.kind not in "fiu" or values.size != 1:
        return float(default)
    value = float(values.reshape(-1)[0])
    if not np.isfinite(value):
        raise _Damaged(f"{name} is {value}")
    return value


def _labels(held: dict[str, np.ndarray], count: int) -> list[str]:
    """A name a point; more than 255 go on in LABELS2 and so on. Points without are `*0`, `*1`, ..."""
    names: list[str] = []
    for suffix in ("", *map(str, range(2, 20))):
        values = held.get(f"POINT:LABELS{suffix}")
        if values is not None and values.dtype.kind == "S" and values.ndim == 2:
            names += [_text(row) for row in values]
    names = names[:count]
    return names + [f"*{number}" for number in range(len(names), count)]


def _text(letters: np.ndarray) -> str:
    return letters.tobytes().decode("utf-8", "replace").strip("\0 ").strip()
