"""How long a sequence is behind a strided block, said without Keras: configs ask."""

from __future__ import annotations

__all__ = ["CONVOLUTION_TAPS", "strided_length"]

CONVOLUTION_TAPS = 3


def strided_length(length: int, stride: int, padding: tuple[int, int]) -> int:
    """Tokens that a strided block leaves of `length`."""
    return (length + sum(padding) - CONVOLUTION_TAPS) // stride + 1
