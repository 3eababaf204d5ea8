"""TRC marker files of OpenSim, Pose2Sim, OpenCap and laboratories."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion_readers.markers import markers_to_motion
from tf_pose3d.inference.motion_readers.options import ReadMotionOptions

__all__ = ["read"]

_UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0}
# Lines before the first frame.
_HEAD = 5
_LARGEST_FRAME = 10**9
# Frames that a file may span, however few it holds: an hour at 30 Hz.
_SPARSE = 108_000


def read(path: Path, options: ReadMotionOptions) -> Motion:
    """Reads markers by name; empty cells, nan and 0 0 0 are missing markers, and so are all of a frame that
    the numbers in the first column leave out.

    Raises:
        Pose3DError: A damaged line with its number, frames out of order, an unknown unit, or no marker with a
            known name.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise Pose3DError(f"{path}: {error.strerror}") from None
    if not lines or not lines[0].startswith("PathFileType"):
        raise Pose3DError(f"{path} is no TRC file, which begins with PathFileType")
    if len(lines) <= _HEAD:
        raise Pose3DError(f"{path} has no frames, only headings: is the file cut off?")
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [cell.strip() for cell in lines[3].rstrip().split("\t")[2::3]]
    if not names or not all(names):
        raise Pose3DError(f"{path}, line 4: a marker without a name, expected Frame#, Time and names")
    rows: list[list[float]] = []
    frames: list[int] = []
    for number, line in enumerate(lines[_HEAD:], start=_HEAD + 1):
        if line.strip():
            where = f"{path}, line {number}"
            rows.append(_row(line, len(names), where))
            frames.append(_frame(line, frames, where))
    values = np.full((frames[-1] - frames[0] + 1 if rows else 0, len(names), 3), np.nan)
    if rows:
        values[np.array(frames, np.int64) - frames[0]] = np.reshape(rows, (len(rows), len(names), 3))
    values[(values == 0).all(axis=2)] = np.nan
    unit = facts.get("Units", "").strip().lower()
    if unit and unit not in _UNITS:
        raise Pose3DError(f"{path}, line 3: unit {unit!r}, expected {', '.join(_UNITS)}")
    rate = options.fps if options.fps is not None else _number(facts.get("DataRate", ""), f"{path}, line 3")
    if not 1 <= rate <= 10_000:
        raise Pose3DError(f"{path}, line 3: DataRate {rate:g}, expected 1 to 10,000: give the rate")
    return markers_to_motion(values, names, rate, str(path), options, _UNITS.get(unit))


def _row(line: str, count: int, where: str) -> list[float]:
    cells = line.rstrip("\r\n").split("\t")
    width = 2 + 3 * count
    # Trailing empty cells may be left out, and one more may follow.
    cells += [""] * (width - len(cells)) if len(cells) >= 2 and len(cells) % 3 == 2 else []
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        raise Pose3DError(f"{where} has {len(cells)} columns, expected {width}: is it cut off?")
    return [_number(cell, where) for cell in cells[2:width]]


def _frame(line: str, before: list[int], where: str) -> int:
    """The number in the first column, which goes on from the line before; frames may be left out."""
    text = line.partition("\t")[0]
    number = _number(text, where)
    if not (number.is_integer() and abs(number) < _LARGEST_FRAME):
        raise Pose3DError(f"{where}: Frame# {text.strip()[:40]!r} is no whole number")
    if before and number <= before[-1]:
        raise Pose3DError(f"{where}: frame {number:.0f} follows frame {before[-1]}, expected a later one")
    most = max(_SPARSE, 100 * len(before))
    if before and number - before[0] >= most:
        raise Pose3DError(
            f"{where}: frame {number:.0f} of a file that has {len(before)} frames since frame {before[0]}, "
            f"expected one before {before[0] + most}"
        )
    return int(number)


def _number(cell: str, where: str) -> float:
    if not cell.strip() or cell.strip().lower() == "nan":
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise Pose3DError(f"{where}: {cell.strip()[:40]!r} is no number") from None
    if math.isinf(value):
        raise Pose3DError(f"{where}: {cell.strip()[:40]!r} is infinite")
    return value
