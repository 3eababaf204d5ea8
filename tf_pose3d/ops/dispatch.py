"""Whether a compiled operation serves, and the gradients with which it does.

Every operation has a face (`operation.py` of its folder) that computes with `keras.ops` wherever the compiled
form does not serve, and an `OPERATION` (in `compiled.py`) that says whether it does. Nothing here
imports TensorFlow before Keras's backend is known to be TensorFlow.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import loader
from tf_pose3d.ops.exporting import is_exporting
from tf_pose3d.ops.loader import Library, Op

__all__ = ["CompiledOperation", "without_compiled"]

_log = logging.getLogger("tf_pose3d.ops")
# Gradients may be registered once only, and strategies trace replicas in several threads.
_lock = threading.Lock()
_switched_off: set[str] = set()


class CompiledOperation:
    """One operation of the compiled library.

    Args:
        name: Of the operation's folder.
        gradients: For each TensorFlow operation with a gradient, the function that gives it from the
            library, the operation and the upstream gradients. The operation NAME's gradient is the operation
            NAMEGrad, which has none itself: second derivatives are refused.
        dtypes: Types that the kernels know.
        on_gpus: Whether there are kernels for GPUs. Others leave the work to `keras.ops` where TensorFlow
            sees a GPU, which has good code of its own for what they do.
        slow_in_xla: Whether the `keras.ops` form is so much slower that its use inside XLA, for which there
            are no kernels, is worth a line.
        library: Name of the library that holds it, see `tf_pose3d.ops.build`.
    """

    def __init__(
        self,
        name: str,
        gradients: Mapping[str, Callable[..., list[Any]]] | None = None,
        *,
        dtypes: tuple[str, ...] = ("float32",),
        on_gpus: bool = False,
        slow_in_xla: bool = False,
        library: str = loader.MAIN_LIBRARY,
    ) -> None:
        self.name = name
        self.dtypes = dtypes
        self.on_gpus = on_gpus
        self.slow_in_xla = slow_in_xla
        self._gradients = dict(gradients or {})
        self._library_name = library
        self._is_registered = False

    def serves(self, *tensors: Any) -> bool:
        """Whether the compiled operation computes these tensors here.

        It does under TensorFlow, outside XLA and outside exporting, in types and on devices for which there
        are kernels, where there is a library.
        """
        if keras.backend.backend() != "tensorflow" or self.name in _switched_off:
            return False
        if any(keras.backend.standardize_dtype(tensor.dtype) not in self.dtypes for tensor in tensors):
            return False
        if is_exporting():
            return False
        if _is_inside_xla():
            if self.slow_in_xla:
                _say_xla_once()
            return False
        if not self.on_gpus and _sees_gpu():
            return False
        return self._load() is not None

    @property
    def library(self) -> Library:
        """The loaded library. Raises Pose3DError where there is none, which `serves` tells beforehand."""
        library = self._load()
        if library is None:
            raise Pose3DError(f"{self.name}: the compiled operations are not loaded")
        return library

    def _load(self) -> Library | None:
        library = loader.load(self._library_name)
        if library is not None:
            with _lock:
                if not self._is_registered:
                    self._register(library)
                    self._is_registered = True
        return library

    def _register(self, library: Library) -> None:
        import tensorflow as tf

        for name, gradient in self._gradients.items():
            tf.RegisterGradient(name)(functools.partial(gradient, library))
            tf.RegisterGradient(f"{name}Grad")(_refuse_second_derivative)


@contextlib.contextmanager
def without_compiled(*names: str) -> Iterator[None]:
    """In this block, functions that are traced compute the named operations with `keras.ops`."""
    added = set(names) - _switched_off
    _switched_off.update(added)
    try:
        yield
    finally:
        _switched_off.difference_update(added)


def _is_inside_xla() -> bool:
    """Whether the function being traced was asked for with jit_compile=True."""
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def _sees_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.get_visible_devices("GPU"))


@functools.cache
def _say_xla_once() -> None:
    _log.warning(
        "tf_pose3d.ops: inside jit_compile=True deformable operations are computed with keras.ops, several "
        "times slower; use jit_compile=False for the compiled ones"
    )


def _refuse_second_derivative(op: Op, *_: Any) -> None:
    raise Pose3DError(
        f"{op.type}: the compiled operations have no second derivatives; TF_POSE3D_OPS=reference has them"
    )
