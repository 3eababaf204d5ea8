"""Names for values that no static type describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = ["Parsed", "Tensor", "Tensors"]

# Of whichever backend runs, symbolic, or an array that Keras converts.
Tensor: TypeAlias = Any
# By name: a batch, or a network's outputs.
Tensors: TypeAlias = Mapping[str, Tensor]
# What JSON, a pickle, an archive or a caller gave: anything, until it is checked.
Parsed: TypeAlias = Any
