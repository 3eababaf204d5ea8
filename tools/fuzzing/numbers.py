"""Every number that a file holds, by other means than the readers that are tried."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.zip_files import ZIP_DAMAGE

__all__ = ["are_held", "held_numbers"]

_NUMBER = re.compile(rb"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
# Values of a dataset that a sample, which holds some hundred, can have after a change.
_MOST = 10**6
# MATLAB's number of elements that zlib has packed.
_PACKED = 15


def held_numbers(place: Path) -> np.ndarray:
    """Sorted float64 numbers without those that are not finite: of a file, or of all files in a folder."""
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    parts = [np.zeros(1), *(part for path in files for part in _parts(path))]
    numbers = np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])
    return np.unique(numbers[np.isfinite(numbers)])


def are_held(
    values: np.ndarray, known: np.ndarray, factors: Sequence[float] = (1.0,), rounding: float = 1e-6
) -> bool:
    """Whether all finite values are among the known numbers, to single precision, their signs apart.

    Args:
        values: Any shape.
        known: As `held_numbers` gives them.
        factors: Between what a file says and what is read, e.g. 0.001 of millimetres; any one counts.
        rounding: What values may differ by besides, of computing them back from what was read.
    """
    values = np.abs(np.asarray(values, np.float64))
    values = np.unique(values[np.isfinite(values)])
    missing = np.ones(len(values), bool)
    # Beyond this nothing is read that could be compared.
    sizes = np.unique(np.abs(known[np.abs(known) < 1e30]))
    for factor in factors:
        scaled = sizes * abs(factor)
        place = np.searchsorted(scaled, values)
        for side in (-1, 0):
            near = scaled[np.clip(place + side, 0, len(scaled) - 1)]
            missing &= np.abs(near - values) > 1e-5 * values + rounding
    return not missing.any()


def _parts(path: Path) -> Iterator[Any]:
    content = path.read_bytes()
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        content = content.decode("utf-16", "replace").encode()
    if path.suffix in (".zip", ".keras"):
        yield from _packed_hdf5_parts(path)
    elif content[:2] == b"PK" or content[:6] == b"\x93NUMPY":
        yield from _archive_parts(path)
    elif path.suffix == ".mat":
        yield from _matlab_parts(content)
    elif content[:1] == b"\x80":
        from tf_pose3d.unpickling import PlainUnpickler, plain_data

        yield from _nested(plain_data(PlainUnpickler(io.BytesIO(content)).load(), len(content)))
    else:
        if content[:4] == b"\x89HDF":
            yield from _hdf5_parts(path)
        if b"\0" in content:
            yield from _words(content)
        yield from _text_parts(content)


def _words(content: bytes) -> Iterator[np.ndarray]:
    """What the bytes are as numbers, wherever these may begin: C3D's points, HDF5's arrays."""
    for kind in ("<f4", "<f8"):
        size = int(kind[2])
        for start in range(size):
            words = content[start : start + (len(content) - start) // size * size]
            with np.errstate(all="ignore"):
                yield np.frombuffer(words, kind).astype(np.float64)


def _text_parts(content: bytes) -> Iterator[Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        yield [float(found.replace(b"_", b"")) for found in _NUMBER.findall(content)]
    else:
        yield from _nested(document)


def _matlab_parts(content: bytes) -> Iterator[np.ndarray]:
    """Of version 5: elements behind a header of 128 bytes, packed ones unpacked; numbers of any type."""
    # Whatever is stored in one or two bytes.
    yield np.arange(-(1 << 15), 1 << 16)
    yield from _matlab_words(content)
    for order in ("little", "big"):
        place = 128
        while place + 8 <= len(content):
            kind = int.from_bytes(content[place : place + 4], order)
            size = int.from_bytes(content[place + 4 : place + 8], order)
            if kind == _PACKED:
                unpacked = zlib.decompressobj()
                with contextlib.suppress(zlib.error):
                    yield from _matlab_words(unpacked.decompress(content[place + 8 :], 100 * _MOST))
            place += 8 + size


def _matlab_words(content: bytes) -> Iterator[np.ndarray]:
    """Numbers of four and eight bytes; elements begin at multiples of four."""
    for kind in (order + kind for order in "<>" for kind in ("f4", "f8", "i4", "u4")):
        for start in range(0, int(kind[2]), 4):
            words = content[start : start + (len(content) - start) // int(kind[2]) * int(kind[2])]
            with np.errstate(all="ignore"):
                yield np.frombuffer(words, kind).astype(np.float64)


def _packed_hdf5_parts(path: Path) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".h5"):
                with contextlib.suppress(*ZIP_DAMAGE, OSError):
                    yield from _hdf5_parts(io.BytesIO(archive.read(name)))


def _hdf5_parts(path: Path | io.BytesIO) -> Iterator[Any]:
    import h5py

    def inside(group: Any) -> Iterator[Any]:
        for name in group:
            # What cannot be opened, or announces more than is there, nothing can have been read of.
            with contextlib.suppress(KeyError, OSError, RuntimeError, UnicodeDecodeError):
                held = group[name]
                if isinstance(held, h5py.Group):
                    yield from inside(held)
                elif held.dtype.kind in "fiub" and held.size < _MOST:
                    yield held[()]

    with h5py.File(path) as file:
        yield from inside(file)


def _archive_parts(path: Path) -> Iterator[Any]:
    from tf_pose3d.data.archive import load_archive

    if path.suffix == ".npy":
        yield from _nested(np.load(path))
    else:
        yield from _nested(load_archive(path))


def _nested(root: Any) -> Iterator[Any]:
    """Each container once: one may hold itself."""
    waiting: list[Any] = [root]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        objects = isinstance(value, np.ndarray) and value.dtype == object
        if objects or isinstance(value, (dict, list, tuple)):
            if id(value) not in seen:
                seen.add(id(value))
                parts = value.ravel().tolist() if objects else value
                waiting.extend(value.values() if isinstance(value, dict) else parts)
        elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            with np.errstate(over="ignore"):
                yield value.astype(np.float64)
        elif isinstance(value, (int, float)):
            with contextlib.suppress(OverflowError):
                yield float(value)
        elif isinstance(value, str) and value and not value.isspace():
            # Numbers that were written as texts.
            yield from _text_parts(value.encode("utf-8", "replace"))
