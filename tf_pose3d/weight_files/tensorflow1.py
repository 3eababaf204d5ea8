"""Reading checkpoints of TensorFlow 1's saver: tables of named arrays, no graph and no code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint

__all__ = ["find_tensorflow1_checkpoint", "read_tensorflow1_checkpoint"]

_NAME = re.compile(r"(.*?)(?:\.index|\.meta|\.data-\d{5}-of-\d{5})?")


def find_tensorflow1_checkpoint(path: str | os.PathLike) -> Path | None:
    """The prefix (`.../model-7`) of a checkpoint, or None.

    Args:
        path: A prefix, one of its files, or a folder. In a folder it is the checkpoint that the file
            `checkpoint` names; where that is not there (copied folders, absolute names) the one of the
            highest step.
    """
    path = Path(path)
    if not path.is_dir():
        prefix = Path(_NAME.fullmatch(os.fspath(path))[1])
        return prefix if Path(f"{prefix}.index").is_file() else None
    state = tf.train.get_checkpoint_state(os.fspath(path))
    if state is not None:
        prefix = path / Path(state.model_checkpoint_path).name
        if Path(f"{prefix}.index").is_file():
            return prefix

    def step(index: Path) -> tuple[int, str]:
        digits = re.search(r"(\d+)$", index.stem)
        return (int(digits[1]) if digits else -1, index.stem)

    found = sorted(path.glob("*.index"), key=step)
    return found[-1].with_suffix("") if found else None


def read_tensorflow1_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Every array of a checkpoint.

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
        reader = tf.train.load_checkpoint(os.fspath(prefix))
        tensors = {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Pose3DError(
            f"{prefix} is truncated or damaged, or one of its files is missing: {reason}"
        ) from None
    return Checkpoint(os.fspath(prefix), tensors, {})
