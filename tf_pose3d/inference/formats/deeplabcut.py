"""DeepLabCut's tables: CSV with three or four lines of headings, and the same as pandas' `.h5`."""

from __future__ import annotations

import csv
import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import make_video_of_tracks
from tf_pose3d.inference.formats.frames import image_numbers
from tf_pose3d.inference.formats.layouts import named_joints
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]

_COORDINATES = ("x", "y", "likelihood")
_HEADINGS = ("scorer", "individuals", "bodyparts", "coords")
# What tables write for a value that is not there.
_NOTHING = ("", "nan", "null", "none", "na")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of coordinates.

    Attributes:
        headings: Line of headings -> one text per column.
        values: `(F, C)` float64, NaN where empty.
        frames: `(F,)` the index: numbers, or images' names.
    """

    headings: dict[str, list[str]]
    values: np.ndarray
    frames: list[Any]


def matches(source: Source) -> bool:
    """Whether the headings have `bodyparts` and `coords`, or an HDF5 file is a pandas table."""
    if source.kind == "hdf5":
        from tf_pose3d.inference.formats.pandas_hdf5 import is_pandas_table

        return is_pandas_table(source)
    if source.kind != "text":
        return False
    first = [line.split(",")[0].strip() for line in source.text[:4096].splitlines()[:6]]
    return "bodyparts" in first and "coords" in first


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `x`, `y` and `likelihood` of body parts, of several `individuals` where there are such.

    Body parts are matched by name (`left_hip`, `LHip`, `hip2`; in DeepLabCut's human model 1 is right and 2
    is left); parts with other names are passed over. The index is the frame's number, or in labelled data an
    image's name, in one column or three (`labeled-data`, video, image).

    Raises:
        Pose3DError: A line of another length, a value that is no number, no body part with a known name, or
            one joint under two names.
    """
    if source.kind == "hdf5":
        from tf_pose3d.inference.formats.pandas_hdf5 import read_pandas_table

        columns, values, frames = read_pandas_table(source)
        table = Table(columns, values, frames)
    elif source.kind == "text":
        table = _read_csv(source)
    else:
        raise Pose3DError(f"{source} is no CSV file and no .h5 table")
    if not {"bodyparts", "coords"} <= table.headings.keys():
        raise Pose3DError(f"{source} has no lines bodyparts and coords, as DeepLabCut writes them")
    if not len(table.values):
        raise Pose3DError(f"{source} has no frames, only headings")
    parts, tracks = _tracks(table, str(source))
    numbers, warnings = image_numbers(table.frames, str(source))
    rows = [numbers[frame] for frame in table.frames]
    if len(set(rows)) < len(rows):
        twice = next(row for place, row in enumerate(rows) if row in rows[:place])
        raise Pose3DError(f"{source}: frame {twice} has two lines, expected one")
    # A scorer's own numbers are frames; labelled images are a choice among them.
    named = any(isinstance(frame, str) for frame in table.frames)
    return make_video_of_tracks(
        source, "deeplabcut", tracks, rows, options, {}, names=parts, are_ids=named, warnings=warnings
    )


def _read_csv(source: Source) -> Table:
    headings: dict[str, list[str]] = {}
    rows: list[list[float]] = []
    frames: list[Any] = []
    width, index = None, 1
    reader = csv.reader(source.text.splitlines())
    number = 0
    while True:
        number += 1
        where = f"{source}, line {number}"
        try:
            line = next(reader, None)
        except csv.Error as error:
            raise Pose3DError(f"{where}: {error}: is the file damaged?") from None
        if line is None:
            break
        if not line:
            continue
        width = width or len(line)
        if len(line) != width:
            raise Pose3DError(f"{where} has {len(line)} columns, expected {width}: is the file cut off?")
        name = line[0].strip()
        if not rows and name in _HEADINGS:
            headings[name] = [cell.strip() for cell in line]
            continue
        if not rows and "coords" in headings:
            index = _index_columns(headings["coords"])
        # pandas writes a line of the index' names behind the headings.
        if not rows and all(not cell.strip() for cell in line[index:]) and not _is_index(line[:index]):
            continue
        frames.append(_index(line[:index], where))
        rows.append([_number(cell, where) for cell in line[index:]])
    cut = {name: cells[index:] for name, cells in headings.items()}
    values = np.array(rows, np.float64) if rows else np.zeros((0, 0))
    return Table(cut, values, frames)


def _index_columns(coords: Sequence[str]) -> int:
    """How many columns before the first coordinate are the index: one, or three in labelled data."""
    first = next((place for place, cell in enumerate(coords) if place and cell), 1)
    return max(first, 1)


def _is_index(cells: Sequence[str]) -> bool:
    return any(re.search("[0-9]", cell) for cell in cells)


def _index(cells: Sequence[str], where: str) -> Parsed:
    cell = cells[-1].strip() or cells[0].strip()
    if re.fullmatch(r"[0-9]{1,18}(\.0*)?", cell):
        return int(cell.split(".")[0])
    if not cell:
        raise Pose3DError(f"{where} has no frame's number or image's name")
    return cell


def _number(cell: str, where: str) -> float:
    if cell.strip().lower() in _NOTHING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        raise Pose3DError(f"{where}: {shown(cell)} is no number") from None
    if math.isinf(value):
        raise Pose3DError(f"{where}: {shown(cell)} is infinite, expected a coordinate")
    return value


def _tracks(table: Table, where: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """The known body parts, and for each person `(F, parts, 3)` x, y and likelihood."""
    parts, coordinates = table.headings["bodyparts"], table.headings["coords"]
    individuals = table.headings.get("individuals", ["0"] * len(parts))
    if not len(parts) == len(coordinates) == len(individuals) == table.values.shape[1]:
        raise Pose3DError(
            f"{where}: {len(parts)} bodyparts, {len(coordinates)} coords and {table.values.shape[1]} columns "
            f"of values, "
            "expected the same number"
        )
    places: dict[tuple[str, str, str], int] = {}
    for place, key in enumerate(zip(individuals, parts, coordinates, strict=True)):
        if key in places:
            raise Pose3DError(f"{where}: two columns for {key[2]} of {key[1]}")
        places[key] = place
    names = list(dict.fromkeys(part for part in parts if part))
    known = named_parts(names, where)
    # Behind the others, columns for coordinates (none) and likelihoods (certain) that a person lacks.
    extra = np.tile(np.array([np.nan, 1.0]), (len(table.values), 1))
    padded = np.concatenate([table.values, extra], axis=1)
    none, certain = padded.shape[1] - 2, padded.shape[1] - 1
    tracks = {}
    for person in dict.fromkeys(individuals):
        columns = [
            [
                places.get((person, part, name), certain if name == "likelihood" else none)
                for name in _COORDINATES
            ]
            for part in known
        ]
        tracks[person] = padded[:, np.array(columns)]
    return known, tracks


def named_parts(names: Sequence[str], where: str) -> list[str]:
    """Those of some body parts that are joints.

    Raises:
        Pose3DError: None is, or one joint has two names.
    """
    columns = named_joints(names, where)
    return [names[column] for column in columns.columns]
