"""pandas' tables in HDF5, read without pandas: DeepLabCut's main output.

pandas writes two forms: `fixed` (arrays of values beside those of the columns' names) and `table` (PyTables'
records, with the columns' names pickled in an attribute). Both are told by the attribute `pandas_type` of
their group.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any

import h5py
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.hdf5_values import hdf5_attribute, hdf5_values, opened_hdf5
from tf_pose3d.inference.formats.source import Source
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.types import Parsed
from tf_pose3d.unpickling import PlainUnpickler, plain_data, unpickling_explained

__all__ = ["hdf5_file", "is_pandas_table", "read_pandas_table"]


def hdf5_file(source: Source) -> AbstractContextManager[h5py.File]:
    """The open file; what HDF5 finds wrong in the block becomes one line.

    Raises:
        Pose3DError: The file is truncated or damaged.
    """
    return opened_hdf5(source.open(), source)


def _tables(file: h5py.File) -> list[h5py.Group]:
    groups = [file[key] for key in file if isinstance(file.get(key), h5py.Group)]
    return [group for group in groups if "pandas_type" in group.attrs]


def is_pandas_table(source: Source) -> bool:
    """Whether an HDF5 file holds a pandas table."""
    with hdf5_file(source) as file:
        return bool(_tables(file))


def read_pandas_table(source: Source) -> tuple[dict[str, list[str]], np.ndarray, list[Any]]:
    """The one table of a file.

    Returns:
        Line of headings -> one text per column; `(F, C)` float64 values; the index, numbers or texts.

    Raises:
        Pose3DError: There is not one table, or it is damaged.
    """
    with hdf5_file(source) as file:
        groups = _tables(file)
        if len(groups) != 1:
            raise Pose3DError(f"{source} holds {len(groups)} pandas tables, expected one")
        kind = _text(hdf5_attribute(groups[0], "pandas_type"))
        if kind == "frame":
            names, levels, values, index = _fixed(groups[0], str(source))
        elif kind == "frame_table":
            names, levels, values, index = _records(groups[0], str(source))
        else:
            raise Pose3DError(f"{source}: a pandas object of type {shown(kind)}, expected a table")
    if len(levels) != values.shape[1]:
        raise Pose3DError(f"{source}: {len(levels)} columns of names and {values.shape[1]} of values")
    if len(index) != len(values):
        raise Pose3DError(f"{source}: {len(index)} frames in the index and {len(values)} rows")
    headings = {name: [str(column[place]) for column in levels] for place, name in enumerate(names)}
    return headings, values, index


def _text(value: Parsed) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _plain(values: np.ndarray) -> list[Any]:
    return [_text(value) if isinstance(value, (bytes, str)) else value for value in values.tolist()]


def _multi_index(group: h5py.Group, name: str, where: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of the levels and one tuple per entry of an index of several levels."""
    count = int(hdf5_attribute(group, f"{name}_nlevels"))
    if not 1 <= count <= 8:
        raise Pose3DError(f"{where}: an index of {count} levels, expected 3 or 4")
    names, columns = [], []
    for level in range(count):
        values = _plain(hdf5_values(group, f"{name}_level{level}", where))
        places = hdf5_values(group, f"{name}_label{level}", where)
        if (
            places.ndim != 1
            or places.dtype.kind not in "iu"
            or (len(places) and not (places.min() >= -1 and places.max() < len(values)))
        ):
            raise Pose3DError(f"{where}: {name}_label{level} points beyond its {len(values)} names")
        names.append(_text(hdf5_attribute(group[f"{name}_level{level}"], "name", "")))
        columns.append([values[place] if place >= 0 else "" for place in places.tolist()])
    if len({len(column) for column in columns}) > 1:
        raise Pose3DError(f"{where}: {name} has levels of different lengths")
    return names, list(zip(*columns, strict=True))


def _index(group: h5py.Group, name: str, where: str) -> list[Any]:
    if _text(hdf5_attribute(group, f"{name}_variety", "regular")) == "multi":
        # labeled-data, video, image: the image tells the frame.
        return [entry[-1] for entry in _multi_index(group, name, where)[1]]
    return _plain(hdf5_values(group, name, where))


def _fixed(group: h5py.Group, where: str) -> tuple[list[str], list[tuple[Any, ...]], np.ndarray, list[Any]]:
    if _text(hdf5_attribute(group, "axis0_variety", "")) != "multi":
        raise Pose3DError(
            f"{where}: its columns have one name each, expected DeepLabCut's of scorer, bodyparts, coords"
        )
    blocks: list[np.ndarray] = []
    levels: list[tuple[Any, ...]] = []
    names: list[str] = []
    count = int(hdf5_attribute(group, "nblocks"))
    if not 1 <= count <= 1000:
        raise Pose3DError(f"{where}: a table of {count} blocks")
    for number in range(count):
        names, columns = _multi_index(group, f"block{number}_items", where)
        values = hdf5_values(group, f"block{number}_values", where)
        if values.ndim != 2 or values.dtype.kind not in "fiu":
            raise Pose3DError(f"{where}: block{number}_values is no table of numbers")
        blocks.append(values.astype(np.float64))
        levels += columns
    if len({len(block) for block in blocks}) != 1:
        raise Pose3DError(f"{where}: blocks of different lengths")
    return names, levels, np.concatenate(blocks, axis=1), _index(group, "axis1", where)


def _unpickled(value: Parsed, where: str) -> Parsed:
    content = value if isinstance(value, bytes) else _text(value).encode("latin1", "replace")
    with unpickling_explained(where):
        return plain_data(PlainUnpickler(io.BytesIO(content)).load(), len(content))


def _records(group: h5py.Group, where: str) -> tuple[list[str], list[tuple[Any, ...]], np.ndarray, list[Any]]:
    dataset = group.get("table")
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.names is None:
        raise Pose3DError(f"{where}: its table has no named columns")
    records = hdf5_values(group, "table", where)
    blocks, levels = [], []
    for field in dataset.dtype.names:
        if not field.startswith("values_block_"):
            continue
        columns = _unpickled(hdf5_attribute(dataset, f"{field}_kind"), where)
        if not isinstance(columns, list) or not all(isinstance(column, tuple) for column in columns):
            raise Pose3DError(
                f"{where}: the columns of {field} are {shown(columns)}, expected names in tuples"
            )
        values = records[field]
        if values.dtype.kind not in "fiu":
            raise Pose3DError(f"{where}: {field} holds no numbers")
        blocks.append(values.reshape(len(records), -1).astype(np.float64))
        levels += columns
    if not blocks:
        raise Pose3DError(f"{where}: its table has no values")
    depths = {len(column) for column in levels}
    names = {3: ["scorer", "bodyparts", "coords"], 4: ["scorer", "individuals", "bodyparts", "coords"]}
    if len(depths) != 1 or min(depths) not in names:
        raise Pose3DError(f"{where}: columns of {shown(sorted(depths))} names, expected 3 or 4")
    return names[depths.pop()], levels, np.concatenate(blocks, axis=1), _plain(records["index"])
