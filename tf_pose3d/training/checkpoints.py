"""Training state in one file: variables, optimizer, averages and counters."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole

__all__ = ["checkpoint_path", "latest_checkpoint", "load_checkpoint", "save_checkpoint"]

_NAME = re.compile(r"cp_(\d+)(?:_step_(\d+))?\.h5")

Groups = Mapping[str, list[keras.Variable]]


def checkpoint_path(folder: str | os.PathLike, epoch: int, step: int | None = None) -> Path:
    """`cp_0010.h5` after epoch 10, `cp_0010_step_61234.h5` inside epoch 11 (10 are complete)."""
    suffix = "" if step is None else f"_step_{step}"
    return Path(folder) / f"cp_{epoch:04d}{suffix}.h5"


def latest_checkpoint(folder: str | os.PathLike) -> Path:
    """The checkpoint of the latest step in a folder.

    Raises:
        Pose3DError: If there is none.
    """
    found = []
    for path in Path(folder).glob("cp_*.h5"):
        match = _NAME.fullmatch(path.name)
        if match:
            found.append((int(match[1]), int(match[2] or 0), path))
    if not found:
        raise Pose3DError(f"{folder}: no checkpoint (cp_*.h5) to continue from; start without it")
    return max(found)[-1]


def save_checkpoint(path: str | os.PathLike, groups: Groups, state: Mapping[str, Any]) -> None:
    """Writes variables and counters, the file whole or not at all.

    Args:
        path: The file.
        groups: Name -> variables, whose order identifies them.
        state: What JSON can hold.

    Raises:
        Pose3DError: The file cannot be written.
    """
    # HDF5 cannot close a file cleanly once the disk is full: it writes to memory, plain bytes go to disk.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["state"] = json.dumps(state)
        for name, variables in groups.items():
            group = file.create_group(name)
            for index, variable in enumerate(variables):
                dataset = group.create_dataset(str(index), data=np.asarray(variable))
                dataset.attrs["name"] = variable.path
    with write_whole(path) as file:
        file.write(buffer.getbuffer())


def load_checkpoint(path: str | os.PathLike, groups: Groups) -> dict[str, Any]:
    """Restores what `save_checkpoint` wrote; nothing is assigned before everything fits.

    Returns:
        The state.

    Raises:
        Pose3DError: Unreadable or truncated file, or variables of other number or shape.
    """
    try:
        with h5py.File(path, "r") as file:
            state = json.loads(file.attrs["state"])
            values = []
            for name, variables in groups.items():
                group = file.get(name)
                if group is None or len(group) != len(variables):
                    held = "none" if group is None else len(group)
                    raise Pose3DError(
                        f"{path}: holds {held} variables of the {name}, this run has {len(variables)}"
                    )
                for index, variable in enumerate(variables):
                    value = group[str(index)][()]
                    if value.shape != tuple(variable.shape):
                        raise Pose3DError(
                            f"{path}: {variable.path} has shape {value.shape}, this run's has "
                            f"{tuple(variable.shape)}"
                        )
                    values.append((variable, value))
    except (OSError, KeyError) as error:
        raise Pose3DError(f"{path}: not a complete checkpoint ({error})") from None
    for variable, value in values:
        variable.assign(value)
    return state
