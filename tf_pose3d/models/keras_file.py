"""Networks in Keras's own files (`.keras`), read in a process that knows none of their classes yet."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING, Any

import h5py

from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.hdf5_values import opened_hdf5, require_stored, require_stored_attributes
from tf_pose3d.json_text import decode_text, parse_json
from tf_pose3d.models.family import get_family, register_networks
from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.hdf5 import weight_fault
from tf_pose3d.zip_files import ZIP_DAMAGE, check_growth

if TYPE_CHECKING:
    import keras

__all__ = ["load_keras_file"]

# The member that holds them.
_WEIGHTS = "model.weights.h5"


def load_keras_file(path: str | os.PathLike) -> keras.Model:
    """The network that `model.save` wrote; `model.config` is its config.

    `keras.models.load_model` does the same once the family's module is imported, which registers its classes;
    the file says which family that is.

    Args:
        path: `.keras` file.

    Raises:
        Pose3DError: Missing or damaged, or no network of this package, or of weights that are none.
    """
    held = _description(path)
    config = held.get("config") or {}
    inner = config.get("config") if isinstance(config, dict) else None
    arch = inner.get("ARCH") if isinstance(inner, dict) else None
    if not isinstance(arch, str):
        raise Pose3DError(
            f"{path} holds a {shown(held.get('class_name'))}, not a network of this package with its config; "
            "keras.models.load_model reads other models"
        )
    get_family(arch, path)
    register_networks(arch)
    import keras

    try:
        network = keras.models.load_model(path)
    except Pose3DError as error:
        raise Pose3DError(f"{path}: {error}") from None
    # What Keras, the HDF5 library and zipfile make of damage.
    except (*ZIP_DAMAGE, OSError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Pose3DError(f"{path} is damaged or of another version of Keras: {_reason(error)}") from error
    for weight in network.weights:
        fault = weight_fault(keras.ops.convert_to_numpy(weight))
        if fault:
            raise Pose3DError(f"{path}: weight {weight.path} {fault}")
    return network


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _check_modules(value: Parsed, path: str | os.PathLike) -> None:
    """Checks that a description names nothing but Keras's objects and this package's.

    Keras imports the modules that it names.

    Raises:
        Pose3DError: It names another module.
    """
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            module = part.get("module")
            if "class_name" in part and module is not None:
                root = module.partition(".")[0] if isinstance(module, str) else ""
                if root not in ("keras", "tf_pose3d", "builtins"):
                    raise Pose3DError(
                        f"{path} names an object of {shown(module)}; networks of this package need keras and "
                        "tf_pose3d alone"
                    )
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _check_weights(content: bytes, path: str | os.PathLike) -> None:
    """Checks that no array of the weights announces more than is stored."""
    where = f"{path}: {_WEIGHTS}"

    def check(name: str, item: h5py.Group | h5py.Dataset) -> None:
        require_stored_attributes(item)
        if isinstance(item, h5py.Dataset):
            require_stored(item, f"{where}: {name}")

    with opened_hdf5(io.BytesIO(content), where) as file:
        file.visititems(check)


def _description(path: str | os.PathLike) -> dict[str, Any]:
    """What the file says about the model, before any weight is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                check_growth(info)
            text, weights = archive.read("config.json"), archive.read(_WEIGHTS)
    except FileNotFoundError:
        raise Pose3DError(f"{path} does not exist") from None
    except OSError as error:
        raise Pose3DError(f"cannot read {path}: {error.strerror}") from error
    except ZIP_DAMAGE as error:
        raise Pose3DError(f"{path} is not a Keras model file: {_reason(error)}") from error
    held = parse_json(decode_text(text, f"{path}: config.json"), f"{path}: config.json")
    if not isinstance(held, dict):
        raise Pose3DError(f"{path} is not a Keras model file: its description is no JSON object")
    _check_modules(held, path)
    _check_weights(weights, path)
    return held
