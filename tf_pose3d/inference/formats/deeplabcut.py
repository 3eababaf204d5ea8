"""CSV files in DeepLabCut's way: three or four lines of headings, then a line per frame."""

from __future__ import annotations

import csv
import math

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.joint_names import find_joint
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.keypoints import KeypointVideo, Person, mark_missing
from tf_pose3d.skeleton import Skeleton, make_skeleton

__all__ = ["matches", "read"]

_COORDINATES = ("x", "y", "likelihood")


def matches(source: Source) -> bool:
    """Whether the headings have `bodyparts` and `coords`."""
    if source.kind != "text":
        return False
    first = [line.split(",")[0].strip() for line in source.head.decode("utf-8", "replace").splitlines()[:5]]
    return "bodyparts" in first and "coords" in first


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `x`, `y` and `likelihood` of body parts, of several `individuals` where there are such.

    Body parts are matched by name (`left_hip`, `LHip`, `hip2`; in DeepLabCut's human model 1 is right and 2
    is left); parts with other names are passed over.

    Raises:
        Pose3DError: A line of another length, a value that is no number, no body part with a known name, or
            one joint under two names.
    """
    if source.kind != "text":
        raise Pose3DError(f"{source} is no CSV file")
    headings: dict[str, list[str]] = {}
    rows: list[list[float]] = []
    width = None
    for number, line in enumerate(csv.reader(source.text.splitlines()), start=1):
        where = f"{source}, line {number}"
        if not line:
            continue
        width = width or len(line)
        if len(line) != width:
            raise Pose3DError(f"{where} has {len(line)} columns, expected {width}: is the file cut off?")
        name = line[0].strip()
        if not rows and name in ("scorer", "individuals", "bodyparts", "coords"):
            headings[name] = [cell.strip() for cell in line[1:]]
            continue
        rows.append([_number(cell, where) for cell in line[1:]])
    if not {"bodyparts", "coords"} <= headings.keys():
        raise Pose3DError(f"{source} has no lines bodyparts and coords, as DeepLabCut writes them")
    if not rows:
        raise Pose3DError(f"{source} has no frames, only headings")
    skeleton, columns = _columns(headings, str(source))
    values = np.array(rows, np.float32)
    # Behind the others, columns for coordinates (none) and likelihoods (certain) that a person lacks.
    extra = np.tile(np.array([np.nan, 1], np.float32), (len(values), 1))
    padded = np.concatenate([values, extra], axis=1)
    people = []
    for person, places in columns.items():
        points = mark_missing(padded[:, places], str(source))
        seen = np.flatnonzero(np.isfinite(points[..., 0]).any(axis=1))
        if len(seen):
            people.append(Person(person, seen, points[seen]))
    return KeypointVideo(str(source), "deeplabcut", skeleton, tuple(people), len(rows))


def _number(cell: str, where: str) -> float:
    if not cell.strip():
        return math.nan
    try:
        return float(cell)
    except ValueError:
        raise Pose3DError(f"{where}: {cell!r} is no number") from None


def _columns(headings: dict[str, list[str]], source: str) -> tuple[Skeleton, dict[str, np.ndarray]]:
    """The joints, and for each person the `(J, 3)` columns of their x, y and likelihood."""
    parts, coordinates = headings["bodyparts"], headings["coords"]
    individuals = headings.get("individuals", ["0"] * len(parts))
    names: dict[str, str] = {}
    for part in dict.fromkeys(parts):
        joint = find_joint(part)
        if joint is None:
            continue
        if joint in names:
            raise Pose3DError(f"{source}: {names[joint]} and {part} are both read as {joint}")
        names[joint] = part
    if not names:
        raise Pose3DError(
            f"{source}: none of its body parts ({', '.join(dict.fromkeys(parts))}) has a known name, "
            "expected names like left_hip"
        )
    where = {key: place for place, key in enumerate(zip(individuals, parts, coordinates, strict=True))}
    none, certain = len(parts), len(parts) + 1
    columns = {}
    for person in dict.fromkeys(individuals):
        table = [
            [
                where.get((person, part, name), certain if name == "likelihood" else none)
                for name in _COORDINATES
            ]
            for part in names.values()
        ]
        columns[person] = np.array(table)
    return make_skeleton("deeplabcut", tuple(names)), columns
