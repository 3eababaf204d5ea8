"""Training state in one file: variables, optimizer, averages and counters.

Read as strictly as weights: shapes and types are compared before numbers are read, all numbers must be
finite, and nothing is assigned before everything fits.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_checkpoints, write_whole
from tf_pose3d.hdf5_values import hdf5_attribute
from tf_pose3d.json_text import parse_json
from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.checksums import CHECKSUM, checksum_of, compare_checksum
from tf_pose3d.weight_files.hdf5 import opened_hdf5, stored_dataset

__all__ = [
    "DamagedCheckpoint",
    "checkpoint_path",
    "load_checkpoint",
    "load_latest_checkpoint",
    "save_checkpoint",
]

Groups = Mapping[str, list[keras.Variable]]


class DamagedCheckpoint(Pose3DError):
    """A checkpoint that is cut off, altered, or was never one; another of the run may do."""


def checkpoint_path(folder: str | os.PathLike, epoch: int, step: int | None = None) -> Path:
    """`cp_0010.h5` after epoch 10, `cp_0010_step_61234.h5` inside epoch 11 (10 are complete)."""
    suffix = "" if step is None else f"_step_{step}"
    return Path(folder) / f"cp_{epoch:04d}{suffix}.h5"


def save_checkpoint(path: str | os.PathLike, groups: Groups, state: Mapping[str, Any]) -> None:
    """Writes variables and counters, the file whole or not at all.

    Args:
        path: The file.
        groups: Name -> variables, whose order identifies them.
        state: What JSON can hold; see `load_checkpoint`.

    Raises:
        Pose3DError: The file cannot be written.
    """
    # HDF5 cannot close a file cleanly once the disk is full: it writes to memory, plain bytes go to disk.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["state"] = json.dumps(state)
        file.attrs[CHECKSUM] = checksum_of(file.attrs["state"])
        for name, variables in groups.items():
            group = file.create_group(name)
            for index, variable in enumerate(variables):
                dataset = group.create_dataset(str(index), data=np.asarray(variable))
                dataset.attrs["name"] = variable.path
            group.attrs[CHECKSUM] = checksum_of(name, ((key, group[key][()]) for key in group))
    with write_whole(path) as file:
        file.write(buffer.getbuffer())


def load_latest_checkpoint(
    folder: str | os.PathLike, groups: Groups, log: Callable[[str], None]
) -> tuple[Path, dict[str, Any]]:
    """Restores the latest checkpoint of a folder that is whole.

    Args:
        folder: Of the run's checkpoints.
        groups: See `save_checkpoint`.
        log: Takes a line for each that is damaged.

    Returns:
        The file, and its state.

    Raises:
        Pose3DError: There is none, all are damaged, or the latest whole one is of another run.
    """
    found = require_checkpoints(folder)
    for place, path in enumerate(found):
        try:
            return path, load_checkpoint(path, groups)
        except DamagedCheckpoint as error:
            if place + 1 == len(found):
                raise Pose3DError(
                    f"{error}; it is the last of {len(found)} checkpoints in {folder}, none is whole: "
                    "start anew"
                ) from None
            log(f"{error}: passed over, trying the one before, {found[place + 1].name}")
    raise AssertionError("the loop returns or raises")


def load_checkpoint(path: str | os.PathLike, groups: Groups) -> dict[str, Any]:
    """Restores what `save_checkpoint` wrote; nothing is assigned before everything fits.

    Returns:
        The state: `step`, a whole number; `config`, an object; `history`, metric -> pairs of epoch and value;
        `best_weights` and `last_weights`, file names or None.

    Raises:
        DamagedCheckpoint: An unreadable or truncated file, numbers that are not finite, or another state.
        Pose3DError: Variables of other number, shape or type than this run's.
    """
    try:
        with opened_hdf5(path) as file:
            state = _state(file, path)
            pairs = _fitting(file, path, groups)
            values = [(variable, _value(dataset, variable, path)) for variable, dataset in pairs]
            _compare_checksums(file, groups, [value for _, value in values], path)
    except _Misfit as error:
        raise Pose3DError(str(error)) from None
    except DamagedCheckpoint:
        raise
    except Pose3DError as error:
        raise DamagedCheckpoint(str(error)) from None
    for variable, value in values:
        variable.assign(value)
    return state


class _Misfit(Pose3DError):
    """A whole checkpoint of another run."""


def _fitting(
    file: h5py.File, path: str | os.PathLike, groups: Groups
) -> list[tuple[keras.Variable, h5py.Dataset]]:
    """Each variable and where its values are, after shapes and types were compared."""
    pairs = []
    for name, variables in groups.items():
        group = file.get(name)
        if not isinstance(group, h5py.Group) or len(group) != len(variables):
            held = len(group) if isinstance(group, h5py.Group) else "none"
            raise _Misfit(f"{path}: holds {held} variables of the {name}, this run has {len(variables)}")
        for index, variable in enumerate(variables):
            dataset = stored_dataset(group, str(index))
            if dataset is None:
                raise DamagedCheckpoint(f"{path} is damaged: number {index} of the {name} is no stored array")
            if dataset.shape != tuple(variable.shape):
                raise _Misfit(
                    f"{path}: {variable.path} has shape {dataset.shape}, this run's has "
                    f"{tuple(variable.shape)}"
                )
            # HDF5 has no bfloat16, and stores its bytes.
            if dataset.dtype.kind != "V" and dataset.dtype != np.dtype(variable.dtype):
                raise DamagedCheckpoint(
                    f"{path} is damaged: {variable.path} is stored as {dataset.dtype}, this run's is "
                    f"{variable.dtype}"
                )
            pairs.append((variable, dataset))
    return pairs


def _value(dataset: h5py.Dataset, variable: keras.Variable, path: str | os.PathLike) -> np.ndarray:
    value = dataset[()]
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise DamagedCheckpoint(f"{path} is damaged: {variable.path} holds NaN or infinity")
    return value


def _compare_checksums(
    file: h5py.File, groups: Groups, values: list[np.ndarray], path: str | os.PathLike
) -> None:
    """Holds the values of all groups, end to end, against what was written."""
    place = 0
    for name, variables in groups.items():
        held = {str(index): value for index, value in enumerate(values[place : place + len(variables)])}
        place += len(variables)
        # In HDF5's order of names.
        arrays = ((key, held[key]) for key in file[name])
        compare_checksum(file[name], name, arrays, what=f"{path}: the group {name}")


def _state(file: h5py.File, path: str | os.PathLike) -> dict[str, Any]:
    """The counters, checked; see `load_checkpoint`."""
    text = hdf5_attribute(file, "state")
    if not isinstance(text, str):
        raise DamagedCheckpoint(f"{path} has no text of the training state: it is no checkpoint, or damaged")
    state = parse_json(text, f"{path}: its state")
    if not isinstance(state, dict):
        raise DamagedCheckpoint(f"{path} is damaged: its state is no object")
    step = state.get("step")
    checks = {
        "step": type(step) is int and 0 <= step < 2**53,
        "config": isinstance(state.get("config"), dict),
        "history": _is_history(state.get("history")),
        "best_weights": _is_file_name(state.get("best_weights")),
        "last_weights": _is_file_name(state.get("last_weights")),
    }
    wrong = [name for name, right in checks.items() if not right]
    if wrong:
        held = repr(state.get(wrong[0]))
        raise DamagedCheckpoint(f"{path} is damaged: the {wrong[0]} of its state is {held[:60]}")
    compare_checksum(file, text, what=f"{path}: the training state")
    return state


def _is_history(value: Parsed) -> bool:
    if not isinstance(value, dict):
        return False
    for pairs in value.values():
        if not isinstance(pairs, list):
            return False
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2 or type(pair[0]) is not int:
                return False
            # A metric may be NaN; JSON as Python writes it says so.
            if type(pair[1]) not in (int, float) or (isinstance(pair[1], int) and abs(pair[1]) > 2**53):
                return False
    return True


def _is_file_name(value: Parsed) -> bool:
    return value is None or (isinstance(value, str) and re.fullmatch(r"[\w.-]+\.h5", value) is not None)
