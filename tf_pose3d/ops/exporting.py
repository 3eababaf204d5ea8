"""Whether a function is traced for a file: programs that run it have none of the compiled operations.

Keras's `model.export`, `tf.saved_model.save`, TensorFlow Lite's converters and tf2onnx trace the model anew,
and are known by their modules on the call stack. Around anything else that traces for a file, such as a
function of one's own, stands `with exporting():`.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
import types
from collections.abc import Iterator

import keras

__all__ = ["exporting", "is_exporting"]

_TRACING_FOR_FILES = ("keras.src.export", "tensorflow.python.saved_model.save", "tensorflow.lite", "tf2onnx")

_switched_on: contextvars.ContextVar[bool] = contextvars.ContextVar("exporting", default=False)


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """In this block, functions that are traced compute every operation of this package with `keras.ops`.

    A function that was traced before keeps what it has.
    """
    token = _switched_on.set(True)
    try:
        yield
    finally:
        _switched_on.reset(token)


def is_exporting() -> bool:
    """Whether the function being traced is for a file. Never outside tracing."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    if tf.executing_eagerly():
        return False
    if _switched_on.get():
        return True
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_TRACING_FOR_FILES):
            return True
        frame = frame.f_back
    return False
