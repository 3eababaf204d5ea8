"""What needs Keras's TensorFlow backend says so in one line under the others."""

from __future__ import annotations

from tf_pose3d.errors import Pose3DError

__all__ = ["require_tensorflow_backend"]


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
