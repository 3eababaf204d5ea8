"""Networks in Keras's own files (`.keras`), read in a process that knows none of their classes yet."""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import get_family

if TYPE_CHECKING:
    import keras

__all__ = ["load_keras_file"]


def load_keras_file(path: str | os.PathLike) -> keras.Model:
    """The network that `model.save` wrote; `model.config` is its config.

    `keras.models.load_model` does the same once the family's module is imported, which registers its classes;
    the file says which family that is.

    Args:
        path: `.keras` file.

    Raises:
        Pose3DError: Missing or damaged, or no network of this package.
    """
    held = _description(path)
    config = held.get("config") or {}
    arch = (config.get("config") or {}).get("ARCH") if isinstance(config, dict) else None
    if not isinstance(arch, str):
        raise Pose3DError(
            f"{path} holds a {held.get('class_name')}, not a network of this package with its config; "
            "keras.models.load_model reads other models"
        )
    get_family(arch)
    import keras

    try:
        return keras.models.load_model(path)
    except (OSError, KeyError, ValueError, TypeError) as error:  # what Keras makes of damage
        reason = " ".join(str(error).split())[:200]
        raise Pose3DError(f"{path} is damaged or of another version of Keras: {reason}") from error


def _description(path: str | os.PathLike) -> dict[str, Any]:
    """What the file says about the model, before any weight is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = json.loads(archive.read("config.json"))
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist") from None
    except OSError as error:
        raise Pose3DError(f"cannot read {path}: {error.strerror}") from error
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Pose3DError(f"{path} is not a Keras model file: {error}") from error
    if not isinstance(held, dict):
        raise Pose3DError(f"{path} is not a Keras model file: its description is no JSON object")
    return held
