"""The one exception that the programs turn into a single line on stderr, and how it shows values."""

from __future__ import annotations

import re

from tf_pose3d.types import Parsed

__all__ = ["Pose3DError", "shown", "shown_name"]


# Longer than any file's name.
_LONG_WORD = re.compile(r"[^\s/\\]{256,}")


class Pose3DError(ValueError):
    """Bad input from the user: a file, a flag, a config value, a set of weights.

    The message is one line that names the file or argument, what is wrong with it, and what would be
    right. The programs print it without a traceback and exit with a non-zero status. Words that are longer
    than any file's name, as damaged files hold them as names of what they hold, are cut.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_LONG_WORD.sub(lambda word: f"{word[0][:57]}...", message))


def shown(value: Parsed) -> str:
    """A value of a file in a message, small arrays as lists: short, on one line."""
    if getattr(value, "size", None) in range(61) and hasattr(value, "tolist"):
        value = value.tolist()
    try:
        text = repr(value) if not isinstance(value, float) else f"{value:g}"
    except (ValueError, RecursionError):  # a whole number of thousands of digits; a list within itself
        text = f"a {type(value).__name__} too long to write"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def shown_name(name: object) -> str:
    """A name of a file in a message, as `shown`, without quotation marks."""
    return shown(str(name))[1:-1]
