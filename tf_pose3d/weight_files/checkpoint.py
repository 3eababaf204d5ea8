"""What every reader of an original release's checkpoint gives."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

__all__ = ["Checkpoint"]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A release's checkpoint as plain data.

    Attributes:
        source: The file, for messages.
        tensors: Name -> array, in the order of the file.
        entries: What else it holds in single numbers and strings, such as epoch, lr and error; the
            optimizer's settings as `optimizer.NAME`.
        left_out: Names of further networks in it, whose tensors are not among these.
    """

    source: str
    tensors: dict[str, np.ndarray]
    entries: dict[str, Any]
    left_out: tuple[str, ...] = ()
