"""CRC-32C (Castagnoli), which TensorFlow's checkpoints are checked with, in NumPy."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["crc32c", "masked_crc32c"]

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
# Bytes of a lane: lanes are worked on side by side, their bytes one after the other.
_LANE = 1024


@functools.cache
def _table() -> np.ndarray:
    """`(256,)` uint32: what each byte makes of a register of zeros."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@functools.cache
def _lane_shift() -> list[list[int]]:
    """What a lane of zeros makes of a register, as four tables, one for each of the register's bytes."""
    registers = np.arange(256, dtype=np.uint32) << np.array([[0], [8], [16], [24]], np.uint32)
    table = _table()
    for _ in range(_LANE):
        registers = table[registers & 0xFF] ^ (registers >> 8)
    return registers.tolist()


def crc32c(data: bytes) -> int:
    """The checksum of some bytes."""
    head, rest = len(data) % _LANE, len(data) // _LANE
    table = _table()
    register = 0xFFFFFFFF
    steps = table.tolist()
    for byte in data[:head]:
        register = steps[(register ^ byte) & 0xFF] ^ (register >> 8)
    if rest:
        # Each lane as if the register were zero before it; then shifted past the lanes behind it.
        lanes = np.frombuffer(data, np.uint8, offset=head).reshape(rest, _LANE)
        registers = np.zeros(rest, np.uint32)
        for column in np.ascontiguousarray(lanes.T):
            registers = table[(registers ^ column) & 0xFF] ^ (registers >> 8)
        first, second, third, fourth = _lane_shift()
        for own in registers.tolist():
            register = (
                first[register & 0xFF]
                ^ second[register >> 8 & 0xFF]
                ^ third[register >> 16 & 0xFF]
                ^ fourth[register >> 24]
                ^ own
            )
    return register ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """The checksum as it is stored: rotated and moved, so that checksums of checksums differ."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + _MASK_DELTA) & 0xFFFFFFFF
