"""Reading checkpoints of TensorFlow 1's saver: tables of named arrays, no graph and no code.

A checkpoint is `NAME.index`, a sorted table from names to where arrays lie, and `NAME.data-00000-of-00001`
and so on, in which they lie as plain numbers. Both are read here without TensorFlow, so that conversion works
under every backend. The table has LevelDB's format (its documentation's "table format"), its values are the
protocol buffers of TensorFlow's `tensor_bundle.proto`.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.crc32c import masked_crc32c

__all__ = ["find_tensorflow1_checkpoint", "read_tensorflow1_checkpoint"]

_NAME = re.compile(r"(.*?)(?:\.index|\.meta|\.data-\d{5}-of-\d{5})?")
_STATE = re.compile(r'^\s*model_checkpoint_path:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)

_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER_BYTES = 48
# Behind each block of the table: how it is compressed, and a checksum.
_TRAILER_BYTES = 5
# TensorFlow's numbers of the types that weights, steps and averages have.
_TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "|u1", 5: "<i2", 6: "|i1", 9: "<i8", 10: "|b1", 19: "<f2"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Damaged(Exception):
    """A file that is not what it should be; the text says how."""


@dataclasses.dataclass(frozen=True)
class _Entry:
    """Where an array lies: its type and shape, file, first byte, number of bytes and checksum."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    partitioned: bool


def find_tensorflow1_checkpoint(path: str | os.PathLike[str]) -> Path | None:
    """The prefix (`.../model-7`) of a checkpoint, or None.

    Args:
        path: A prefix, one of its files, or a folder. In a folder it is the checkpoint that the file
            `checkpoint` names; where that is not there (copied folders, absolute names) the one of the
            highest step.
    """
    path = Path(path)
    if not path.is_dir():
        match = _NAME.fullmatch(os.fspath(path))
        prefix = Path(match[1]) if match else path
        return prefix if _is_file(f"{prefix}.index") else None
    state = path / "checkpoint"
    named = _STATE.search(state.read_text("utf-8", "replace")) if state.is_file() else None
    if named is not None:
        prefix = path / Path(re.sub(r"\\(.)", r"\1", named[1])).name
        if _is_file(f"{prefix}.index"):
            return prefix

    def step(index: Path) -> tuple[int, str]:
        digits = re.search(r"(\d+)$", index.stem)
        return (int(digits[1]) if digits else -1, index.stem)

    found = sorted(path.glob("*.index"), key=step)
    return found[-1].with_suffix("") if found else None


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that is too long, or has a null byte, is none
        return False


def read_tensorflow1_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Every array of numbers of a checkpoint.

    Args:
        path: As for `find_tensorflow1_checkpoint`.

    Raises:
        Pose3DError: There is no checkpoint, or one of its files is missing or damaged.
    """
    prefix = find_tensorflow1_checkpoint(path)
    if prefix is None:
        raise Pose3DError(
            f"{path}: no TensorFlow checkpoint, expected NAME.index and NAME.data-00000-of-00001 "
            "(their folder, or that name)"
        )
    try:
        return Checkpoint(os.fspath(prefix), _read_tensors(prefix), {})
    except (_Damaged, OSError) as error:
        raise Pose3DError(
            f"{prefix} is truncated or damaged, or one of its files is missing: {error}"
        ) from None


def _read_tensors(prefix: Path) -> dict[str, np.ndarray]:
    index = Path(f"{prefix}.index")
    entries: dict[str, _Entry] = {}
    shards, little_endian = 1, True
    for name, value in _table(index.read_bytes(), index.name):
        if name:
            entries[name] = _entry(value, index.name)
        else:
            # The header: number of files, and byte order (0: little endian).
            for field, content in _fields(value, index.name):
                if isinstance(content, int):
                    shards = content if field == 1 else shards
                    little_endian = not content if field == 2 else little_endian
    if not little_endian:
        raise _Damaged(f"{index.name} is big-endian, expected little-endian")
    files = [Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}").read_bytes() for shard in range(shards)]
    stored = {name: _bytes(name, entry, files) for name, entry in sorted(entries.items())}
    # What is text is no weight.
    return {
        name: _array(name, entries[name], data)
        for name, data in stored.items()
        if entries[name].dtype in _TYPES
    }


def _bytes(name: str, entry: _Entry, files: list[bytes]) -> bytes:
    if entry.shard >= len(files) or entry.offset + entry.size > len(files[entry.shard]):
        raise _Damaged(f"the data end before {name} does")
    return files[entry.shard][entry.offset : entry.offset + entry.size]


def _array(name: str, entry: _Entry, data: bytes) -> np.ndarray:
    if entry.partitioned:
        raise _Damaged(f"{name} is stored in several parts, which this reader does not join")
    dtype = np.dtype(_TYPES[entry.dtype])
    count = int(np.prod(entry.shape, dtype=np.int64))
    if entry.size != count * dtype.itemsize:
        raise _Damaged(f"{name} has {entry.size} bytes, expected {count * dtype.itemsize}")
    if masked_crc32c(data) != entry.checksum:
        raise _Damaged(f"the checksum of {name} is wrong")
    return np.frombuffer(data, dtype).reshape(entry.shape).copy()


def _entry(value: bytes, source: str) -> _Entry:
    """A `BundleEntryProto`."""
    numbers = dict.fromkeys(range(1, 7), 0)
    shape: tuple[int, ...] = ()
    partitioned = False
    for field, content in _fields(value, source):
        if isinstance(content, int):
            numbers[field] = content
        elif field == 2:
            shape = _shape(content, source)
        elif field == 7:
            partitioned = True
    dtype, _, shard, offset, size, checksum = (numbers[field] for field in range(1, 7))
    return _Entry(dtype, shape, shard, offset, size, checksum, partitioned)


def _shape(value: bytes, source: str) -> tuple[int, ...]:
    """A `TensorShapeProto`: dimensions, each a message of its size."""
    sizes = []
    for field, content in _fields(value, source):
        if field == 2 and isinstance(content, bytes):
            # A size of 0 is not written.
            sizes.append(next((size for name, size in _fields(content, source) if name == 1), 0))
    if not all(isinstance(size, int) for size in sizes):
        raise _Damaged(f"{source} holds a shape without numbers")
    return tuple(int(size) for size in sizes)


def _fields(message: bytes, source: str) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field of a protocol buffer."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place, source)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _varint(message, place, source)
            yield number, value
            continue
        if kind == _BYTES:
            length, place = _varint(message, place, source)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise _Damaged(f"{source} holds a field of unknown kind {kind}")
        content = message[place : place + length]
        if len(content) != length:
            raise _Damaged(f"{source} holds a field that ends early")
        place += length
        yield number, content if kind == _BYTES else int.from_bytes(content, "little")


def _varint(data: bytes, place: int, source: str) -> tuple[int, int]:
    """(number, next place) of a number in groups of seven bits."""
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
    raise _Damaged(f"{source} holds a number that ends early")


def _table(data: bytes, source: str) -> Iterator[tuple[str, bytes]]:
    """Names and values of a table, in order."""
    if len(data) < _FOOTER_BYTES or not data.endswith(_TABLE_MAGIC):
        raise _Damaged(f"{source} is no table")
    footer = data[-_FOOTER_BYTES:]
    place = 0
    # Offset and size of the block of metadata, then of the index.
    for _ in range(2):
        _, place = _varint(footer, place, source)
    offset, place = _varint(footer, place, source)
    size, _ = _varint(footer, place, source)
    for _, handle in _block(data, offset, size, source):
        offset, place = _varint(handle, 0, source)
        size, _ = _varint(handle, place, source)
        for name, value in _block(data, offset, size, source):
            yield name.decode("utf-8", "replace"), value


def _block(data: bytes, offset: int, size: int, source: str) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of a block; a name shares its beginning with the one before it."""
    end = offset + size + _TRAILER_BYTES
    if end > len(data):
        raise _Damaged(f"{source} ends early")
    block, trailer = data[offset : offset + size], data[offset + size : end]
    if masked_crc32c(data[offset : offset + size + 1]) != int.from_bytes(trailer[1:], "little"):
        raise _Damaged(f"the checksum of a block of {source} is wrong")
    if trailer[0]:
        raise _Damaged(f"{source} is compressed, which TensorFlow's saver does not do")
    restarts = int.from_bytes(block[-4:], "little")
    entries = block[: max(size - 4 * (restarts + 1), 0)]
    place, name = 0, b""
    while place < len(entries):
        shared, place = _varint(entries, place, source)
        own, place = _varint(entries, place, source)
        length, place = _varint(entries, place, source)
        name = name[:shared] + entries[place : place + own]
        place += own
        yield name, entries[place : place + length]
        place += length
