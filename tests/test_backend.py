"""Models without TensorFlow: nothing imports it on their behalf, and what needs it says so."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tf_pose3d.models.loading import build_model, load_config, save_model

# Whoever of the package imports TensorFlow while models are imported is named. Under TensorFlow Keras itself
# imports it, so that this test needs no other backend.
IMPORTS = """
import builtins
import importlib
import pkgutil
import keras

import tf_pose3d

true_import = builtins.__import__

def checked_import(name, globals=None, *rest):
    importer = (globals or {}).get("__name__", "")
    if importer.startswith("tf_pose3d") and name.partition(".")[0] == "tensorflow":
        raise AssertionError(f"{importer} imports {name}")
    return true_import(name, globals, *rest)

builtins.__import__ = checked_import
for room in ("geometry", "layers", "models", "ops", "weight_files", "weights"):
    package = importlib.import_module(f"tf_pose3d.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"tf_pose3d.{room}."):
        importlib.import_module(module.name)
for name in ("camera", "config", "errors", "files", "skeleton"):
    importlib.import_module(f"tf_pose3d.{name}")
for name in ("build_model", "convert", "load_config", "load_model", "save_model"):
    getattr(tf_pose3d, name)
"""

# With a TensorFlow that cannot be imported, a small network is loaded and run.
MODEL = """
import sys
import numpy as np

# As if it were not installed.
sys.modules["tensorflow"] = None
import tf_pose3d

model = tf_pose3d.load_model(sys.argv[1])
pose = model.predict({"keypoints_2d": np.zeros((3, 16, 2), "float32")}, verbose=0)["pose_3d"]
assert pose.shape == (3, 16, 3)
assert np.isfinite(pose).all()
"""

LIFT = """
import sys
import tf_pose3d

try:
    tf_pose3d.load(sys.argv[1])
except tf_pose3d.Pose3DError as error:
    print(error)
"""


def run(code: str, *arguments: str, backend: str = "tensorflow") -> str:
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "martinez.h5"
    save_model(build_model(load_config(arch="martinez")), path)
    return path


def test_models_import_no_tensorflow():
    run(IMPORTS)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_model_runs_without_tensorflow(weights, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    run(MODEL, str(weights), backend=backend)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_lifting_says_that_it_needs_tensorflow(weights, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    said = run(LIFT, str(weights), backend=backend)
    assert said.count("\n") == 1
    assert said.startswith(f"lifting needs Keras's tensorflow backend, not {backend}")
