"""Sports2D's pixel coordinates (`*_px_person00.trc`): markers by name, a line per frame."""

from __future__ import annotations

import math

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import make_video_of_tracks
from tf_pose3d.inference.formats.deeplabcut import named_parts
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.formats.values import shown, whole_number
from tf_pose3d.inference.keypoints import KeypointVideo

__all__ = ["matches", "read"]

# Metres and millimetres of people stay below and have depth; pixels have none.
_LINES = 5


def matches(source: Source) -> bool:
    """Whether the text begins with TRC's `PathFileType`."""
    return source.kind == "text" and source.text.startswith("PathFileType")


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads X and Y of markers by name (`RHip`, `LBigToe`; `Hip` is the middle); Z must be 0.

    Sports2D writes one file per person, in pixels (`_px`, y down) and in metres (`_m`), both with the unit
    `m`. Missing markers are empty or 0.

    Raises:
        Pose3DError: Three-dimensional or metric coordinates, a damaged line, no marker with a known name.
    """
    if not matches(source):
        raise Pose3DError(f"{source} is no TRC file")
    where = str(source)
    lines = source.text.splitlines()
    if len(lines) <= _LINES:
        raise Pose3DError(f"{where} has no frames, only headings: is the file cut off?")
    facts = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    names = [cell.strip() for cell in lines[3].rstrip().split("\t")[2::3]]
    if not names or not all(names):
        raise Pose3DError(
            f"{where}, line 4: a marker without a name, expected Frame#, Time and every third column"
        )
    width = 2 + 3 * len(names)
    rows, frames = [], []
    for number, line in enumerate(lines[_LINES:], start=_LINES + 1):
        cells = line.rstrip("\r\n").split("\t")
        if not line.strip():
            continue
        cells += [""] * (width - len(cells)) if 2 < len(cells) < width and len(cells) >= width - 2 else []
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            raise Pose3DError(
                f"{where}, line {number} has {len(cells)} columns, expected {width}: is it cut off?"
            )
        frames.append(whole_number(cells[0], f"{where}, line {number}: its frame"))
        rows.append([_number(cell, f"{where}, line {number}") for cell in cells[2:width]])
    values = np.array(rows, np.float64).reshape(len(rows), len(names), 3)
    _check_pixels(values, where)
    if len(set(frames)) < len(frames):
        raise Pose3DError(f"{where}: a frame has two lines, expected one")
    known = named_parts(names, where)
    points = values[:, [names.index(name) for name in known]]
    points[..., 2] = 1
    rate = _number(facts.get("DataRate", ""), f"{where}, line 3: DataRate")
    return make_video_of_tracks(
        source,
        "trc",
        {"0": points},
        frames,
        options,
        {},
        names=known,
        fps=rate if 0 < rate <= 10_000 else None,
    )


def _number(cell: str, where: str) -> float:
    if not cell.strip() or cell.strip().lower() == "nan":
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise Pose3DError(f"{where}: {shown(cell)} is no number") from None
    if math.isinf(value):
        raise Pose3DError(f"{where}: {shown(cell)} is infinite")
    return value


def _check_pixels(values: np.ndarray, where: str) -> None:
    depth = values[..., 2]
    if np.nanmax(np.abs(depth), initial=0) > 0:
        raise Pose3DError(
            f"{where}: its markers have depth; 2D keypoints in pixels are needed (Sports2D's _px files)"
        )
    if np.nanmax(np.abs(values[..., :2]), initial=0) < 20:
        raise Pose3DError(
            f"{where}: its coordinates are metres, no pixels; take Sports2D's _px file of this person"
        )
