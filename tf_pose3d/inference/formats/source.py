"""A file or folder of keypoints before its format is known."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tf_pose3d.errors import Pose3DError

__all__ = ["ReadOptions", "Source", "frame_numbers", "natural_order", "read_json"]

_HEAD = 4096
# Text that is parsed at a time; memory stays flat however long the file is.
_BLOCK = 1 << 18


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """What the user says about a file; None: the file says it.

    Attributes:
        layout: Joint layout.
        width, height: Image size in pixels.
        recording: Which recording of a file with several.
    """

    layout: str | None = None
    width: int | None = None
    height: int | None = None
    recording: str | None = None


def natural_order(name: str) -> list[tuple[bool, int | str]]:
    """Sort key that puts `frame_10` behind `frame_9`."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in parts if part]


def frame_numbers(ids: list[int]) -> dict[int, int]:
    """Frame number of each image id.

    Ids that count frames keep their distances, from 0 on, so that frames without people stay empty. Ids with
    gaps of more than three quarters (those of a data set's images) are numbered in their order.
    """
    order = sorted(set(ids))
    if order and order[-1] - order[0] < 4 * len(order):
        return {number: number - order[0] for number in order}
    return {number: place for place, number in enumerate(order)}


class Source:
    """A file or folder to read keypoints from.

    Args:
        path: The file or folder.

    Attributes:
        path: As given.
        kind: `"folder"`, `"npz"`, `"npy"`, `"json"` or `"text"`, by content.

    Raises:
        Pose3DError: It does not exist, is empty, or is none of these.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            self.kind = "folder"
            return
        try:
            with self.path.open("rb") as file:
                self.head = file.read(_HEAD)
        except FileNotFoundError:
            raise Pose3DError(f"{path} does not exist, expected a file or folder of 2D keypoints") from None
        except OSError as error:
            raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
        if not self.head.strip():
            raise Pose3DError(f"{path} is empty, expected 2D keypoints")
        self.kind = _kind(self.head)
        if self.kind is None:
            raise Pose3DError(
                f"{path} is no file of keypoints; expected JSON, CSV, .npz, .npy or a folder of JSON files "
                "(for a video add --detector)"
            )

    def __str__(self) -> str:
        return str(self.path)

    @functools.cached_property
    def archive(self) -> dict[str, Any]:
        """Everything that an npz file holds, read without running what it contains."""
        from tf_pose3d.data.archive import load_archive

        return load_archive(self.path)

    @functools.cached_property
    def json_files(self) -> list[Path]:
        """The folder's JSON files in natural order."""
        return sorted(self.path.glob("*.json"), key=lambda path: natural_order(path.name))

    @functools.cached_property
    def sample(self) -> Any:
        """The first element of a JSON array, a whole JSON object, the first file of a folder; or None."""
        if self.kind == "folder":
            return read_json(self.json_files[0]) if self.json_files else None
        if self.kind != "json":
            return None
        return next(self.items(), None) if self.is_array else self.document

    @property
    def is_array(self) -> bool:
        """Whether this is a JSON file with an array at the top."""
        return self.kind == "json" and self.head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["

    @functools.cached_property
    def document(self) -> Any:
        """The whole JSON file."""
        return read_json(self.path)

    def items(self) -> Iterator[Any]:
        """The elements of the JSON array at the top, one after another.

        Raises:
            Pose3DError: The file is cut off or damaged; the message says where.
        """
        yield from _array_items(self.path)

    @functools.cached_property
    def text(self) -> str:
        """The whole file as text."""
        return _read_text(self.path)


def _kind(head: bytes) -> str | None:
    if head.startswith(b"PK"):
        return "npz"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if b"\0" in head:
        return None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return "json" if start in (b"{", b"[") else "text"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Pose3DError(f"{path} is no UTF-8 text: byte {error.start} belongs to nothing") from None
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None


def read_json(path: str | Path) -> Any:
    """A whole JSON file.

    Raises:
        Pose3DError: It cannot be read, or is cut off or damaged; the message says where.
    """
    text = _read_text(Path(path))
    if not text.strip():
        raise Pose3DError(f"{path} is empty, expected JSON")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _damaged(Path(path), error, text, 0, 0) from None


def _damaged(path: Path, error: json.JSONDecodeError, text: str, characters: int, lines: int) -> Pose3DError:
    """What is wrong with JSON of which so many characters and lines came before `text`."""
    line = lines + text.count("\n", 0, error.pos) + 1
    where = f"line {line}, character {characters + error.pos}"
    if not text[error.pos :].strip() or error.msg.startswith("Unterminated"):
        return Pose3DError(f"{path} is cut off at {where}: {error.msg}; copy or make it again")
    return Pose3DError(f"{path} is damaged at {where}: {error.msg}")


def _array_items(path: Path) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    characters = lines = 0
    with path.open(encoding="utf-8-sig") as file:
        text, ended, begun = "", False, False
        while True:
            if not ended:
                # Double what is held, so that an element of any length is parsed a few times at most.
                try:
                    block = file.read(max(_BLOCK, len(text)))
                except UnicodeDecodeError as error:
                    raise Pose3DError(f"{path} is no UTF-8 text: {error.reason}") from None
                text, ended = text + block, not block
            position = _skip_space(text, 0)
            if not begun:
                position, begun = _skip_space(text, position + 1), True
            while True:
                if text[position : position + 1] == "]":
                    if text[position + 1 :].strip():
                        error = json.JSONDecodeError("more text after the end", text, position + 1)
                        raise _damaged(path, error, text, characters, lines)
                    return
                try:
                    value, end = decoder.raw_decode(text, position)
                    after = _skip_space(text, end)
                    if text[after : after + 1] not in (",", "]"):
                        raise json.JSONDecodeError("expected , or ]", text, after)
                except json.JSONDecodeError as error:
                    if ended:
                        raise _damaged(path, error, text, characters, lines) from None
                    break
                yield value
                position = after if text[after] == "]" else _skip_space(text, after + 1)
            characters, lines = characters + position, lines + text.count("\n", 0, position)
            text = text[position:]


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position
