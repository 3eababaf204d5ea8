"""3D human pose from 2D keypoints and from multi-view images, in TensorFlow and Keras 3."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tf_pose3d.types import Parsed
from tf_pose3d.version import __version__

if TYPE_CHECKING:
    from tf_pose3d import layers, losses, metrics
    from tf_pose3d.data.datasets import datasets
    from tf_pose3d.errors import Pose3DError
    from tf_pose3d.evaluation.evaluate import evaluate
    from tf_pose3d.evaluation.examples import examples
    from tf_pose3d.inference.export import export_model
    from tf_pose3d.inference.folder.lifting import lift_folder
    from tf_pose3d.inference.lifted import LiftedPerson
    from tf_pose3d.inference.lifter import Lifter, load
    from tf_pose3d.inference.reading import read_keypoints
    from tf_pose3d.models.family import families
    from tf_pose3d.models.loading import build_model, load_config, save_model
    from tf_pose3d.multicamera.road import triangulate
    from tf_pose3d.skeleton import layouts
    from tf_pose3d.training.run import train
    from tf_pose3d.weights.convert import convert
    from tf_pose3d.weights.opening import load_model

__all__ = [
    "LiftedPerson",
    "Lifter",
    "Pose3DError",
    "__version__",
    "build_model",
    "convert",
    "datasets",
    "evaluate",
    "examples",
    "export_model",
    "families",
    "layers",
    "layouts",
    "lift_folder",
    "load",
    "load_config",
    "load_model",
    "losses",
    "metrics",
    "read_keypoints",
    "save_model",
    "train",
    "triangulate",
]

# Imported when first asked for, so that `import tf_pose3d` does not start TensorFlow.
_PLACES = {
    "LiftedPerson": "tf_pose3d.inference.lifted",
    "Lifter": "tf_pose3d.inference.lifter",
    "Pose3DError": "tf_pose3d.errors",
    "build_model": "tf_pose3d.models.loading",
    "convert": "tf_pose3d.weights.convert",
    "datasets": "tf_pose3d.data.datasets",
    "evaluate": "tf_pose3d.evaluation.evaluate",
    "examples": "tf_pose3d.evaluation.examples",
    "export_model": "tf_pose3d.inference.export",
    "families": "tf_pose3d.models.family",
    "layouts": "tf_pose3d.skeleton",
    "train": "tf_pose3d.training.run",
    "triangulate": "tf_pose3d.multicamera.road",
    "lift_folder": "tf_pose3d.inference.folder.lifting",
    "load": "tf_pose3d.inference.lifter",
    "load_config": "tf_pose3d.models.loading",
    "load_model": "tf_pose3d.weights.opening",
    "read_keypoints": "tf_pose3d.inference.reading",
    "save_model": "tf_pose3d.models.loading",
}
# Modules that are public under their own names.
_MODULES = ("layers", "losses", "metrics")


def __getattr__(name: str) -> Parsed:
    if name not in _PLACES and name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        return getattr(importlib.import_module(_PLACES[name]), name)
    except ModuleNotFoundError as error:
        from tf_pose3d.backend import explain_missing

        explained = explain_missing(error, f"tf_pose3d.{name}")
        if explained is None:
            raise
        raise explained from None


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES, *_MODULES])
