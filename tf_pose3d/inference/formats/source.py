"""A file or folder of keypoints before its format is known."""

from __future__ import annotations

import codecs
import dataclasses
import functools
import io
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.json_text import damaged_json, decode_text, parse_json, text_encoding
from tf_pose3d.types import Parsed

__all__ = ["ReadOptions", "Source", "natural_order", "read_json"]

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
        video_width, video_height: Size of the video that the keypoints were found in, where it is at hand;
            for files of fractions that do not tell it.
    """

    layout: str | None = None
    width: int | None = None
    height: int | None = None
    recording: str | None = None
    video_width: int | None = None
    video_height: int | None = None


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts `frame_10` behind `frame_9`."""
    parts = re.split(r"([0-9]+)", name)
    # Thousands of digits are no number of anything: such a name is ordered as text.
    return [
        (True, int(part), "")
        if part[:1].isascii() and part.isdecimal() and len(part) < 40
        else (False, 0, part)
        for part in parts
        if part
    ]


class Source:
    """A file or folder to read keypoints from.

    Regular files are opened as often as a reader needs; pipes (`<(...)`, `/dev/stdin`) are read once, whole.

    Args:
        path: The file or folder.

    Attributes:
        path: As given.
        kind: `"folder"`, `"npz"`, `"npy"`, `"hdf5"`, `"json"` or `"text"`, by content.
        head: The first bytes; empty for a folder.

    Raises:
        Pose3DError: It does not exist, is empty, or is none of these.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.head = b""
        self._content: bytes | None = None
        if "\0" in str(path):
            raise Pose3DError(f"{str(path)!r} is no file name: it has a null byte")
        try:
            if self.path.is_dir():
                self.kind = "folder"
                return
            if not stat.S_ISREG(self.path.stat().st_mode):
                self._content = self.path.read_bytes()
            with self.open() as file:
                self.head = file.read(_HEAD)
        except FileNotFoundError:
            raise Pose3DError(f"{path} does not exist, expected a file or folder of 2D keypoints") from None
        except OSError as error:
            raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
        if not self.head.strip():
            raise Pose3DError(f"{path} is empty, expected 2D keypoints")
        kind = _kind(self.head)
        if kind is None:
            raise Pose3DError(
                f"{path} is no file of keypoints; expected JSON, CSV, TRC, .npz, .npy, .h5 or a folder of "
                "JSON files, or a video"
            )
        self.kind = kind

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> IO[bytes]:
        """The file from its first byte, seekable."""
        return self.path.open("rb") if self._content is None else io.BytesIO(self._content)

    @functools.cached_property
    def archive(self) -> dict[str, Any]:
        """Everything that an npz file holds, read without running what it contains."""
        from tf_pose3d.data.archive import load_archive

        with self.open() as file:
            return load_archive(self.path, file)

    @functools.cached_property
    def json_files(self) -> list[Path]:
        """The folder's JSON files in natural order, hidden ones aside."""
        return self.files(".json")

    def files(self, suffix: str) -> list[Path]:
        """The folder's files of one extension in natural order, hidden ones aside."""
        found = [path for path in self.path.glob(f"*{suffix}") if not path.name.startswith(".")]
        return sorted(found, key=lambda path: natural_order(path.name))

    @functools.cached_property
    def sample(self) -> Parsed:
        """The first element of a JSON array, a whole JSON object, the first file of a folder; or None."""
        if self.kind == "folder":
            return read_json(self.json_files[0]) if self.json_files else None
        if self.kind != "json":
            return None
        return next(self.items(), None) if self.is_array else self.document

    @functools.cached_property
    def first_found(self) -> Parsed:
        """The first element of a JSON array that holds anything; None where none does."""
        if not self.is_array:
            return self.sample
        return next((item for item in self.items() if item not in (None, [], {})), None)

    @property
    def is_array(self) -> bool:
        """Whether this is a JSON file with an array at the top."""
        return self.kind == "json" and _first_character(self.head) == "["

    @functools.cached_property
    def document(self) -> Parsed:
        """The whole JSON file."""
        return parse_json(self.text, self)

    def items(self) -> Iterator[Any]:
        """The elements of the JSON array at the top, one after another.

        Raises:
            Pose3DError: The file is cut off or damaged; the message says where.
        """
        with self.open() as file:
            yield from _array_items(file, text_encoding(self.head), self.path)

    @functools.cached_property
    def text(self) -> str:
        """The whole file as text."""
        try:
            with self.open() as file:
                return decode_text(file.read(), self)
        except OSError as error:
            raise Pose3DError(f"{self} cannot be read: {error.strerror or error}") from None


def _first_character(head: bytes) -> str:
    encoding = text_encoding(head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head[:4092])
    return text.lstrip("\ufeff \t\r\n")[:1]


def _kind(head: bytes) -> str | None:
    if head.startswith(b"PK"):
        return "npz"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"\x89HDF"):
        return "hdf5"
    if b"\0" in head and text_encoding(head) == "utf-8":
        return None
    return "json" if _first_character(head) in ("{", "[") else "text"


def read_json(path: str | Path) -> Parsed:
    """A whole JSON file.

    Raises:
        Pose3DError: It cannot be read, or is cut off or damaged; the message says where.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_json(decode_text(content, path), path)


def _array_items(stream: IO[bytes], encoding: str, path: Path) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    characters = lines = 0
    file = io.TextIOWrapper(stream, encoding=encoding)
    text, ended, begun = "", False, False
    while True:
        if not ended:
            # Double what is held, so that an element of any length is parsed a few times at most.
            try:
                block = file.read(max(_BLOCK, len(text)))
            except UnicodeDecodeError as error:
                name = encoding.removesuffix("-sig").upper()
                raise Pose3DError(f"{path} is no {name} text: {error.reason}") from None
            text, ended = text + block, not block
        position = _skip_space(text, 0)
        if not begun:
            position, begun = _skip_space(text, position + 1), True
        while True:
            if text[position : position + 1] == "]":
                if text[position + 1 :].strip():
                    more = json.JSONDecodeError("more text after the end", text, position + 1)
                    raise damaged_json(path, more, text, characters, lines)
                return
            try:
                value, end = decoder.raw_decode(text, position)
                after = _skip_space(text, end)
                if text[after : after + 1] not in (",", "]"):
                    raise json.JSONDecodeError("expected , or ]", text, after)
            except json.JSONDecodeError as error:
                if ended:
                    raise damaged_json(path, error, text, characters, lines) from None
                break
            except (ValueError, RecursionError) as error:
                raise damaged_json(path, error, text, characters, lines) from None
            yield value
            position = after if text[after] == "]" else _skip_space(text, after + 1)
        characters, lines = characters + position, lines + text.count("\n", 0, position)
        text = text[position:]


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n\ufeff":
        position += 1
    return position
