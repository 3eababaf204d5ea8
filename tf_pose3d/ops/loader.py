"""Load the compiled operations into TensorFlow, building them on first use where that is possible.

The environment variable TF_POSE3D_OPS says what may happen:

* `build` (default): load the library, compile it first where it is missing and a compiler is there, and
  compute with `keras.ops` otherwise, which is said in one line;
* `require`: the same, but an error instead of `keras.ops`;
* `reference`: always compute with `keras.ops`.
"""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path
from typing import Any, TypeAlias

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import cache
from tf_pose3d.ops.cache import MAIN_LIBRARY

# TensorFlow's, which is not imported here: the module that it makes of a library, an operation of a graph.
Library: TypeAlias = Any
Op: TypeAlias = Any
_MODES = ("build", "require", "reference")
_log = logging.getLogger("tf_pose3d.ops")


@functools.cache
def load(library: str = MAIN_LIBRARY) -> Library | None:
    """The module of compiled operations, or None where `keras.ops` is to compute them.

    Args:
        library: Which one, see `tf_pose3d.ops.cache.OPTIONAL_LIBRARIES`.

    Raises:
        Pose3DError: TF_POSE3D_OPS is none of its values, or is `require` and there is no library.
    """
    mode = os.environ.get("TF_POSE3D_OPS", "build")
    if mode not in _MODES:
        raise Pose3DError(f"TF_POSE3D_OPS: expected one of {', '.join(_MODES)}, got {mode!r}")
    if mode == "reference":
        return None
    try:
        return _load(library)
    except Pose3DError as error:
        if mode == "require":
            raise
        _log.warning(
            "tf_pose3d.ops: NOT COMPILED: the operations use keras.ops, several times slower: %s",
            error,
        )
        return None


def _load(library: str) -> Library:
    import tensorflow as tf

    path = cache.find(True, library) or _build(_wants_cuda(), library)
    try:
        return tf.load_op_library(str(path))
    except (tf.errors.OpError, OSError) as error:
        raise Pose3DError(f"{path} cannot be loaded, delete it to build it again: {error}") from error


def _wants_cuda() -> bool:
    """A GPU is of use only with TensorFlow built for it; nvcc alone is no reason to compile for minutes."""
    import tensorflow as tf

    from tf_pose3d.ops import build

    return bool(tf.config.list_physical_devices("GPU")) and build.find_nvcc() is not None


def _build(cuda: bool, library: str) -> Path:
    # Imported here so that `python -m tf_pose3d.ops.build` does not find itself imported already.
    from tf_pose3d.ops import build

    path = cache.find(cuda, library)
    if path is None:
        if build.find_compiler() is None:
            raise Pose3DError(
                "no C++ compiler found: install g++ or set CXX, then run python -m tf_pose3d.ops.build"
            )
        time = "some minutes, with CUDA" if cuda else "half a minute or so"
        _log.warning("tf_pose3d.ops: compiling the operations, once, for %s ...", time)
        path = build.build(cuda, library)
    return path
