"""JSON from anywhere: whatever the text is, it is parsed, or refused in one line that says where."""

from __future__ import annotations

import json
import re

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = ["damaged_json", "decode_text", "parse_json"]

# Byte order marks, the longer ones first: UTF-32's begins with UTF-16's.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Python's limit for the digits of a whole number, above which `json` raises a plain ValueError.
_DIGITS = 4300


def text_encoding(head: bytes) -> str:
    """The encoding that the first bytes of a text show: by its mark, else by where zeros lie, else UTF-8.

    Windows PowerShell's `>` writes UTF-16.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    pairs = head[:64][: len(head[:64]) // 2 * 2]
    if len(pairs) >= 4 and not any(pairs[1::2]) and all(pairs[::2]):
        return "utf-16-le"
    if len(pairs) >= 4 and not any(pairs[::2]) and all(pairs[1::2]):
        return "utf-16-be"
    return "utf-8"


def decode_text(content: bytes, where: object) -> str:
    """A file's text, in UTF-8, UTF-16 or UTF-32, without its byte order mark.

    Raises:
        Pose3DError: It is none of these; the message says at which byte.
    """
    encoding = text_encoding(content[:64])
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise Pose3DError(f"{where} is no {name} text: byte {error.start} belongs to nothing") from None


def damaged_json(
    where: object, error: Exception, text: str, characters: int = 0, lines: int = 0
) -> Pose3DError:
    """What a failure of Python's `json` means to the user.

    Args:
        where: Names the file.
        error: A `JSONDecodeError`, `RecursionError`, or the plain `ValueError` of a number with too many
            digits.
        text: What was parsed.
        characters, lines: How much of the file came before `text`.
    """
    if isinstance(error, RecursionError):
        return Pose3DError(f"{where} is nested too deeply, expected arrays and objects a few levels deep")
    if not isinstance(error, json.JSONDecodeError):
        found = re.search(rf"[0-9]{{{_DIGITS},}}", text)
        place = found.start() if found else 0
        line = lines + text.count("\n", 0, place) + 1
        return Pose3DError(
            f"{where} has a number of more than {_DIGITS} digits at line {line}, character "
            f"{characters + place}"
        )
    line = lines + text.count("\n", 0, error.pos) + 1
    at = f"line {line}, character {characters + error.pos}"
    if not text[error.pos :].strip() or error.msg.startswith("Unterminated"):
        return Pose3DError(f"{where} is cut off at {at}: {error.msg}; copy or make it again")
    return Pose3DError(f"{where} is damaged at {at}: {error.msg}")


def parse_json(text: str, where: object) -> Parsed:
    """The value of a JSON text.

    Args:
        text: All of it.
        where: Names the file or line in messages.

    Raises:
        Pose3DError: It is empty, cut off, damaged, nested too deeply, or has a number of thousands of digits;
            the message says where.
    """
    if not text.strip():
        raise Pose3DError(f"{where} is empty, expected JSON")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged_json(where, error, text) from None
