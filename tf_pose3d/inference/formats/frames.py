"""Which row of the output a frame of a file is.

One rule for all formats: **row n is frame n of the video**, counted as the file counts (frames without anyone
are empty rows), with these exceptions, each of which is said:

* Numbers that begin at 1 count from 1: row n is number n + 1.
* A clip that begins behind number 1,000 is a cut: row 0 is its first number.
* Image ids that are no frame numbers (those of a data set's pictures: far apart and irregular) are taken in
  their order.

`KeypointVideo.frame_numbers` and the `frame` of npz and json outputs hold each row's own number.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.source import natural_order
from tf_pose3d.inference.formats.values import shown, whole_number
from tf_pose3d.types import Parsed

__all__ = ["FrameRows", "frame_number", "image_numbers", "lay_out_frames"]

# A first number up to here may be a person who comes late; above, it is a cut out of something longer.
_LATEST_START = 1000
# Frames in a row without anyone, listed nowhere: above, the number is damage (half an hour at 50 per second).
_LONGEST_SILENCE = 100_000
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")


# Keys under which a frame's object says its number, in letters alone, the surer ones first.
_NUMBER_KEYS = (
    *("frame", "framenumber", "frameid", "frameindex", "frameidx", "framenum", "frameno", "framenr"),
    *("imageid", "index", "idx"),
)


@dataclasses.dataclass(frozen=True)
class FrameRows:
    """Where frames go.

    Attributes:
        rows: A frame's number in the file -> its row.
        numbers: `(F,)` int64: the number of each row.
        notes: What was supposed, one line each.
        warnings: What was changed or looks wrong, one line each.
    """

    rows: dict[int, int]
    numbers: np.ndarray
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """F."""
        return len(self.numbers)


def _step_warning(order: list[int]) -> list[str]:
    step = math.gcd(*(after - before for before, after in itertools.pairwise(order)))
    if step < 2 or len(order) < 4:
        return []
    return [
        f"only one frame in {step} is there (numbers {order[0]}, {order[1]}, {order[2]} ... {order[-1]}): "
        f"rows keep these numbers, and the {step - 1} between are filled as far as --max_gap goes; --fps is "
        "the rate of all frames"
    ]


def lay_out_frames(
    numbers: Iterable[int], where: str, are_ids: bool = False, from_one: bool = False
) -> FrameRows:
    """Rows of frame numbers, by the rule above.

    Args:
        numbers: Of every frame that the file lists, in any order, repeated or not.
        where: Names the file in messages.
        are_ids: Numbers may be ids of pictures that count nothing.
        from_one: The tool counts from 1, whether or not the file has that frame.

    Raises:
        Pose3DError: A number so far behind the one before that it can only be damage.
    """
    order = sorted(set(numbers))
    if not order:
        return FrameRows({}, np.zeros(0, np.int64))
    gaps = [after - before for before, after in itertools.pairwise(order)]
    times = max(collections.Counter(gaps).values(), default=0)
    sparse = order[-1] - order[0] >= 4 * len(order)
    if are_ids and sparse and times < 0.5 * len(gaps) + 0.5:
        return FrameRows(
            {number: row for row, number in enumerate(order)},
            np.array(order, np.int64),
            warnings=(
                f"image ids {', '.join(map(str, order[:3]))} ... {order[-1]} are no frame numbers (their "
                f"gaps differ "
                f"and are large): the {len(order)} images are taken as neighbouring frames in this order",
            ),
        )
    for before, gap in zip(order, gaps, strict=False):
        if gap > _LONGEST_SILENCE:
            raise Pose3DError(
                f"{where}: frame {before + gap} comes {gap} frames after frame {before}, expected at most "
                f"{_LONGEST_SILENCE} without anyone: is this number right?"
            )
    first = order[0]
    offset = first if first > _LATEST_START else int(first == 1 or (from_one and first > 0))
    notes, warnings = [], _step_warning(order)
    if offset == 1:
        notes.append("frames are numbered from 1: row n is frame n + 1")
    elif offset:
        warnings.append(f"frames are numbered from {offset}: row n of the output is frame n + {offset}")
    if first > offset:
        notes.append(f"the first frame listed is {first}: the rows before it are empty")
    return FrameRows(
        {number: number - offset for number in order},
        np.arange(offset, order[-1] + 1, dtype=np.int64),
        tuple(notes),
        tuple(warnings),
    )


def frame_number(frame: Parsed, where: str) -> int | None:
    """The number that a frame's object states: `frame`, `frame_id`, `frameNumber` and the like; None: none.

    Raises:
        Pose3DError: It is no whole number.
    """
    if not isinstance(frame, dict):
        return None
    stated = {
        re.sub("[^a-z]", "", key.lower()): key
        for key, value in frame.items()
        if isinstance(key, str) and isinstance(value, (int, float, str)) and not isinstance(value, bool)
    }
    key = next((stated[plain] for plain in _NUMBER_KEYS if plain in stated), None)
    return None if key is None else whole_number(frame[key], f"{where}: {key}")


def image_numbers(ids: Sequence[Any], where: str) -> tuple[dict[Any, int], tuple[str, ...]]:
    """The number of each image id: itself, or that of a file's name.

    Of the numbers in names (`cam1_000012_rgb_640.png`) the one that changes from name to name counts.

    Args:
        ids: Ints, floats that are whole, or names; not necessarily distinct.
        where: Names the file in messages.

    Returns:
        Id -> number, and warnings.

    Raises:
        Pose3DError: An id of another kind, a name without a number, or names of several videos.
    """
    names = list(dict.fromkeys(value for value in ids if isinstance(value, str)))
    numbers: dict[Any, int] = {}
    for value in ids:
        if not isinstance(value, str):
            if isinstance(value, (list, dict)):
                raise Pose3DError(f"{where}: image_id is {shown(value)}, expected a number or a file's name")
            numbers[value] = whole_number(value, f"{where}: image_id")
    if names and numbers:
        raise Pose3DError(f"{where}: some image ids are numbers and some names ({shown(names[0])})")
    named, warnings = _numbers_of_names(names, where)
    return {**numbers, **named}, warnings


def _numbers_of_names(names: list[str], where: str) -> tuple[dict[str, int], tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        stem = _EXTENSION.sub("", re.split(r"[\\/]", name)[-1])
        if re.fullmatch(r"[0-9]+\.0+", stem):
            stem = stem.split(".")[0]
        groups[name] = re.findall(r"[0-9]+", stem)
        if not groups[name] or len(max(groups[name], key=len)) > 18:
            raise Pose3DError(f"{where}: image_id {shown(name)} has no number that tells the frame")
    if not names:
        return {}, ()
    columns = [[int(group[-1]) for group in groups.values()]]
    if len({len(group) for group in groups.values()}) == 1 and len(names) > 1:
        columns = [list(map(int, column)) for column in zip(*groups.values(), strict=True)]
        columns = [column for column in columns if len(set(column)) > 1] or columns[-1:]
    for column in reversed(columns):
        if len(set(column)) == len(names):
            return dict(zip(names, column, strict=True)), ()
    if len({re.sub(r"[0-9]+", "#", name) for name in names}) > 1 or len(columns) < 2:
        seen: dict[int, str] = {}
        for name, number in zip(names, columns[-1], strict=True):
            if number in seen:
                raise Pose3DError(
                    f"{where}: {shown(seen[number])} and {shown(name)} both are frame {number}, expected the "
                    "frames of one video"
                )
            seen[number] = name
    order = sorted(names, key=natural_order)
    return {name: row for row, name in enumerate(order)}, (
        f"several numbers change in the names ({shown(order[0])} ... {shown(order[-1])}): frames are taken "
        "in their order",
    )
