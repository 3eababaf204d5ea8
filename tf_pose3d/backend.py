"""What needs TensorFlow, or Keras's TensorFlow backend, says so in one line where it is not there."""

from __future__ import annotations

import importlib.util

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command, is_lite

__all__ = ["explain_missing", "require_keras", "require_tensorflow", "require_tensorflow_backend"]

# What comes with TensorFlow and Keras, and is missing with them.
_PARTS = ("tensorflow", "keras", "absl", "tensorboard")


def _without_tensorflow(what: str) -> Pose3DError:
    command = install_command("tensorflow") if is_lite() else "pip install ."
    return Pose3DError(f"{what} needs TensorFlow and Keras, which are not installed: {command}")


def require_tensorflow(what: str) -> None:
    """Checks that TensorFlow and Keras are installed, without importing them.

    Args:
        what: Is asked for, e.g. `"training"`; for the message.

    Raises:
        Pose3DError: They are not; the message says how to install them.
    """
    if any(importlib.util.find_spec(name) is None for name in ("tensorflow", "keras")):
        raise _without_tensorflow(what)


def require_keras(what: str) -> None:
    """Checks that Keras is installed, whichever its backend, without importing it.

    Raises:
        Pose3DError: It is not.
    """
    if importlib.util.find_spec("keras") is None:
        raise _without_tensorflow(what)


def explain_missing(error: ModuleNotFoundError, what: str) -> Pose3DError | None:
    """The line for an import that failed for want of TensorFlow or Keras; None: it failed for another reason.

    Args:
        error: It.
        what: Was asked for.
    """
    root = (error.name or "").partition(".")[0]
    return _without_tensorflow(what) if root in _PARTS else None


def require_tensorflow_backend(what: str) -> None:
    """Checks that Keras computes with TensorFlow.

    Models run under every backend; data pipelines, training, evaluation and lifting are TensorFlow's.

    Args:
        what: Is asked for, e.g. `"lifting"`; for the message.

    Raises:
        Pose3DError: Keras has another backend.
    """
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise Pose3DError(
            f"{what} needs Keras's tensorflow backend, not {backend} (KERAS_BACKEND=tensorflow, or leave it "
            "out); load_model, build_model and convert of tf_pose3d work under any"
        )
