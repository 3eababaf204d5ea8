"""Changes of valid files: of their bytes, and of what they hold, written anew by the tool of their format.

A change of structure gives a file whose container is sound (checksums of zip members and tables included), so
that a reader's own checks are reached. Every change is drawn from a `random.Random` and nothing else.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tf_pose3d.weight_files.crc32c import masked_crc32c

__all__ = ["mutated", "mutated_copy", "restructured"]

_ODD: list[Any] = [
    *(None, True, -1, 0, 2, 3.5, 1e39, -1e300, float("nan"), float("inf"), 10**400, 10**18, 2**31, 0.5),
    *("x", "²", "", "NaN", "../x", "a\nb", "1" * 500, "\udce9", [], {}, [[]], {"a": 1}, [[[1, 2], [3]]]),
    [0] * 51,
]
_TOKENS = [
    *(b"\0", b"\xff\xfe", b"[" * 3000, b"9" * 5000, b"1e999", b"NaN", b'"', b",", b"\n", b"{}", b"-"),
    *(b"\xef\xbb\xbf", b"(" * 500, b"\t", b"x" * 200_000, b"<!--", b"&a;", b"\\u0000", b"#"),
]
_CELLS = [
    *("", "x", "nan", "inf", "-1e39", "1e400", "9" * 400, "²", "0", "-0.0008", '"', "a" * 300, "1_0", "\x85"),
]


def mutated(content: bytes, draw: Random) -> bytes:
    """A file's content with one to three changes; one of structure comes first, on what is still sound."""
    changes = draw.choice([1, 1, 2, 3])
    if draw.random() < 0.65:
        change = next((change for fits, change in _STRUCTURED if fits(content)), None)
        if change is not None:
            try:
                content = change(content, draw)
                changes = draw.choice([0, 0, 1])
            # What the format's own tool cannot write: bytes are changed instead.
            except Exception:
                pass
    for _ in range(changes):
        content = _bytes_changed(content, draw)
    return content


def _bytes_changed(content: bytes, draw: Random) -> bytes:
    at = draw.randrange(max(len(content), 1))
    if draw.random() < 0.3:
        at = min(at, draw.randrange(300))
    length = draw.choice([1, 1, 2, 4, 16, 300])
    kind = draw.randrange(6)
    if kind == 0:
        noise = bytes(draw.randrange(256) for _ in range(min(length, 16)))
        return content[:at] + noise + content[at + len(noise) :]
    if kind == 1:
        return content[:at] + content[at + length :]
    if kind == 2:
        return content[:at] + content[at : at + length] + content[at:]
    if kind == 3:
        return content[:at]
    if kind == 4:
        flipped = bytes(byte ^ (1 << draw.randrange(8)) for byte in content[at : at + 1])
        return content[:at] + flipped + content[at + 1 :]
    return content[:at] + draw.choice(_TOKENS) + content[at:]


def restructured(value: Any, draw: Random) -> Any:
    """A value of nested lists, tuples, dicts and arrays with one part replaced, removed or doubled."""
    root = [value]
    parent: Any = root
    key: Any = 0
    while isinstance(parent[key], (list, dict, tuple)) and parent[key] and draw.random() < 0.85:
        if isinstance(parent[key], tuple):
            parent[key] = list(parent[key])
        parent = parent[key]
        key = draw.choice(list(parent)) if isinstance(parent, dict) else draw.randrange(len(parent))
    if isinstance(parent[key], np.ndarray) and draw.random() < 0.8:
        parent[key] = _array_changed(parent[key], draw)
        return root[0]
    kind = draw.randrange(3)
    if kind == 0 or parent is root:
        parent[key] = copy.deepcopy(draw.choice(_ODD))
    elif kind == 1:
        del parent[key]
    elif isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    else:
        parent[f"{key}x"] = parent[key]
    return root[0]


def _array_changed(array: np.ndarray, draw: Random) -> np.ndarray:
    if array.dtype == object and array.size and draw.random() < 0.7:
        array = array.copy()
        place = draw.randrange(array.size)
        changed = restructured(array.flat[place], draw)
        flat = array.reshape(-1)
        flat[place] = changed
        return flat.reshape(array.shape)
    kind = draw.randrange(8)
    if kind == 0 and array.size and array.dtype.kind in "fiu":
        number = draw.choice([np.nan, np.inf, -np.inf, 0.0, -1.0, 2.5, 1e39, 1e6, 1e300])
        array = array.astype(np.float64 if draw.random() < 0.5 else np.float32)
        with np.errstate(over="ignore"):
            array.flat[draw.randrange(array.size)] = number
        return array
    if kind == 1:
        return array[: len(array) // 2] if array.ndim else array.reshape(1)
    if kind == 2:
        return array.reshape(-1)
    if kind == 3:
        return array[None]
    if kind == 4:
        return array[..., :0] if array.ndim else np.zeros(0)
    if kind == 5:
        code = draw.choice(["f2", "i8", "u1", "c8", "?", ">f4", "S4", "U3", "O", "M8[s]"])
        with np.errstate(all="ignore"):
            return array.astype(code)
    if kind == 6:
        return array.T
    return np.repeat(array, 2, axis=draw.randrange(array.ndim)) if array.ndim else array


def _is_json(content: bytes) -> bool:
    return (
        content[:1] in (b"{", b"[") and content.rstrip()[-1:] in (b"}", b"]") and b"\n{" not in content[:9999]
    )


def _json_changed(content: bytes, draw: Random) -> bytes:
    value = restructured(json.loads(content), draw)
    encoding = draw.choice(["utf-8"] * 8 + ["utf-16", "utf-8-sig"])
    return json.dumps(value).encode(encoding)


def _lines_changed(content: bytes, draw: Random) -> bytes:
    """Of JSON lines, tables with commas or tabs, and settings of a name and a value."""
    lines = content.decode().split("\n")
    place = draw.randrange(len(lines))
    kind = draw.randrange(6)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(place, lines[draw.randrange(len(lines))])
    elif lines[place][:1] in ("{", "["):
        lines[place] = json.dumps(restructured(json.loads(lines[place]), draw))
    else:
        mark = next((mark for mark in ("\t", ",", " ") if mark in lines[place]), ",")
        cells = lines[place].split(mark)
        cell = draw.randrange(len(cells))
        if kind == 2:
            del cells[cell]
        elif kind == 3:
            cells.insert(cell, cells[cell])
        else:
            cells[cell] = draw.choice(_CELLS)
        lines[place] = mark.join(cells)
    return "\n".join(lines).encode()


def _is_text(content: bytes) -> bool:
    return bool(content) and b"\0" not in content and max(content[:2000]) < 0x80 and content[:1] != b"\x80"


def _boxed(value: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    box = np.empty((), object)
    box[()] = value
    return box


def _npz_changed(content: bytes, draw: Random) -> bytes:
    with np.load(io.BytesIO(content), allow_pickle=True) as file:
        arrays = dict(file)
    bare = {
        key: array.item() if array.shape == () and array.dtype == object else array
        for key, array in arrays.items()
    }
    changed = restructured(bare, draw)
    buffer = io.BytesIO()
    save = np.savez_compressed if draw.random() < 0.5 else np.savez
    save(buffer, **{key: _boxed(value) for key, value in changed.items()})
    return buffer.getvalue()


def _npy_changed(content: bytes, draw: Random) -> bytes:
    buffer = io.BytesIO()
    array = np.load(io.BytesIO(content), allow_pickle=True)
    np.save(buffer, _array_changed(array, draw))
    return buffer.getvalue()


def _pickle_changed(content: bytes, draw: Random) -> bytes:
    return pickle.dumps(restructured(pickle.loads(content), draw), draw.choice([2, 3, 4, 5]))


def _zip_changed(content: bytes, draw: Random) -> bytes:
    """One member changed, gone or doubled; the others and all checksums are sound."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    place = draw.randrange(len(members))
    kind = draw.randrange(8)
    info, held = members[place]
    if kind == 0:
        del members[place]
    elif kind == 1:
        members.append((zipfile.ZipInfo(draw.choice([f"{info.filename}x", "../x", "x.npy"])), held))
    else:
        members[place] = (info, mutated(held, draw))
    buffer = io.BytesIO()
    packing = draw.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for info, held in members:
            archive.writestr(zipfile.ZipInfo(info.filename), held, packing)
    return buffer.getvalue()


def _is_npz(content: bytes) -> bool:
    return content.startswith(b"PK") and b".npy" in content[:200]


def _npz_or_zip_changed(content: bytes, draw: Random) -> bytes:
    return (_npz_changed if draw.random() < 0.7 else _zip_changed)(content, draw)


_HDF5_VALUES = [
    *(np.nan, "x", np.zeros(0), np.zeros((2, 3), "f4"), np.full((3, 2), np.inf), np.int64(-1), b"\xff\xfe"),
    *(2**62, np.array([b"a", b"b"]), np.array(["x" * 70]), np.float64(1e300), np.zeros((0, 5))),
]


def _hdf5_changed(content: bytes, draw: Random) -> bytes:
    import h5py

    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        found: list[Any] = [file]
        file.visititems(lambda name, item: found.append(item) if len(found) < 400 else None)
        item = draw.choice(found)
        names = list(item.attrs)
        if names and draw.random() < 0.5:
            name = draw.choice(names)
            if draw.random() < 0.3:
                del item.attrs[name]
            else:
                item.attrs[name] = draw.choice(_HDF5_VALUES)
        elif isinstance(item, h5py.Dataset):
            parent, name = item.parent, item.name.rsplit("/", 1)[1]
            values, attributes = item[()], dict(item.attrs)
            del parent[name]
            kind = draw.randrange(5)
            if kind == 0:
                return _closed(file, buffer)
            if kind == 1:
                values = draw.choice(_HDF5_VALUES)
            elif kind == 2:
                # Announced, and never written.
                parent.create_dataset(name, (2**20, 2**10), "f8", chunks=(1, 2**10))
                return _closed(file, buffer)
            elif isinstance(values, np.ndarray) and values.dtype.names is None:
                values = _array_changed(values, draw)
            parent[name] = values
            for key, value in attributes.items():
                parent[name].attrs[key] = value
        elif item.name != "/":
            kind = draw.randrange(3)
            if kind == 0:
                del file[item.name]
            elif kind == 1:
                file.move(item.name, f"{item.name}x")
            else:
                name = item.name
                del file[name]
                file[name] = draw.choice(_HDF5_VALUES)
    return buffer.getvalue()


def _closed(file: Any, buffer: io.BytesIO) -> bytes:
    file.close()
    return buffer.getvalue()


def _matlab_changed(content: bytes, draw: Random) -> bytes:
    from scipy.io import loadmat, savemat

    held = {key: value for key, value in loadmat(io.BytesIO(content)).items() if not key.startswith("__")}
    buffer = io.BytesIO()
    savemat(buffer, restructured(held, draw), do_compression=draw.random() < 0.5)
    return buffer.getvalue()


_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")


def _table_changed(content: bytes, draw: Random) -> bytes:
    """A byte of the first block of a TensorFlow 1 index, with its checksum made right."""
    from tf_pose3d.weight_files.tensorflow1 import _varint

    footer, places = content[-48:], [0]
    numbers = []
    for _ in range(4):
        number, place = _varint(footer, places[-1], "")
        numbers.append(number)
        places.append(place)
    # The blocks lie before that of the metadata, each with five bytes behind it; here there is one.
    end = numbers[0] - 5
    block = bytearray(content[:end])
    for _ in range(draw.randint(1, 3)):
        block[draw.randrange(end)] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
    checked = bytes(block) + content[end : end + 1]
    return checked + masked_crc32c(checked).to_bytes(4, "little") + content[end + 5 :]


_STRUCTURED: list[tuple[Callable[[bytes], bool], Callable[[bytes, Random], bytes]]] = [
    (_is_json, _json_changed),
    (_is_npz, _npz_or_zip_changed),
    (lambda content: content.startswith(b"PK"), _zip_changed),
    (lambda content: content.startswith(b"\x93NUMPY"), _npy_changed),
    (lambda content: content.startswith(b"\x89HDF"), _hdf5_changed),
    (lambda content: content.startswith(b"MATLAB"), _matlab_changed),
    (lambda content: content.startswith(b"\x80") and content.endswith(b"."), _pickle_changed),
    (lambda content: content.endswith(_TABLE_MAGIC), _table_changed),
    (_is_text, _lines_changed),
]


def mutated_copy(sample: Path, copy_of_it: Path, draw: Random) -> Path:
    """Changes one file of a copy that lies beside a sample; the caller restores it.

    Args:
        sample: File or folder, unchanged.
        copy_of_it: The same content elsewhere.
        draw: Draws the file and the change.

    Returns:
        The changed file.
    """
    if sample.is_file():
        copy_of_it.write_bytes(mutated(sample.read_bytes(), draw))
        return copy_of_it
    files = sorted(path for path in sample.rglob("*") if path.is_file())
    chosen = draw.choice(files)
    target = copy_of_it / chosen.relative_to(sample)
    target.write_bytes(mutated(chosen.read_bytes(), draw))
    return target
