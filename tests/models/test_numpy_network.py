"""The general lifter in NumPy, against the Keras network that trains."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import shipped_weights
from tf_pose3d.models.general.config import GeneralConfig
from tf_pose3d.models.general.numpy_network import NumpyNetwork
from tf_pose3d.models.loading import build_model, load_model, save_model


def clip(frames, batch=2):
    random = np.random.default_rng(0)
    keypoints = random.normal(scale=0.3, size=(batch, frames, 13, 3)).astype("float32")
    keypoints[..., 2] = random.uniform(size=keypoints.shape[:-1])
    keypoints[random.random(keypoints.shape[:-1]) < 0.2] = 0
    keypoints[0, 0] = 0
    intrinsics = np.zeros((batch, 11), "float32")
    intrinsics[:] = [2, 2, 2.29, 2.31, 0.01, 0.02, 0, 0, 0, 0, 0]
    return keypoints, intrinsics


@pytest.mark.parametrize(
    "changes",
    [{}, {"VIRTUAL_CAMERA": False}, {"CONSTANT_BONES": False}, {"DILATIONS": []}, {"KNEES_FORWARD": False}],
)
def test_equal_to_keras(changes):
    small = {"WIDTH": 24, "BLOCKS": 1, "TEMPORAL_WIDTH": 12, "DILATIONS": [1, 3]}
    model = build_model(GeneralConfig.from_dict({"ARCH": "General", **small, **changes}))
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.4, size=weight.shape) + ("scale" in weight.path))
    keypoints, intrinsics = clip(21)
    network = NumpyNetwork.of_model(model)
    assert network.count_params() == model.count_params()
    found = network.lift_frames(keypoints, intrinsics)
    expected = model.lift_frames({"keypoints_2d": keypoints, "intrinsics": intrinsics})
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=2e-4, err_msg=name)
    raw = {name: np.asarray(values)[:1] for name, values in expected.items()}
    lengths = raw["log_lengths"].mean(axis=1, keepdims=True)
    whole = model.assemble(raw, lengths)
    poses, radius = network.assemble(raw)
    np.testing.assert_allclose(poses, whole["pose_3d_sequence"][0], atol=1e-5)
    np.testing.assert_allclose(radius, whole["radius_90"][0], rtol=1e-5)


@pytest.mark.parametrize("name", ["general", "general_frame"])
def test_shipped_weights_give_the_same_poses(name):
    keypoints, intrinsics = clip(40)
    network, model = NumpyNetwork.read(shipped_weights()[name]), load_model(name)
    found = network.lift_frames(keypoints, intrinsics)
    expected = model.lift_frames({"keypoints_2d": keypoints, "intrinsics": intrinsics})
    for key, values in expected.items():
        # Bones are at most half a metre long: a tenth of a millimetre.
        np.testing.assert_allclose(found[key], values, rtol=1e-4, atol=1e-4, err_msg=key)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.h5"
    model = build_model("martinez")
    save_model(model, path)
    with pytest.raises(Pose3DError, match="Martinez, expected a general lifter"):
        NumpyNetwork.read(path)


def test_weights_that_do_not_fit_their_config_are_refused(tmp_path):
    path = tmp_path / "narrow.h5"
    model = build_model(GeneralConfig(WIDTH=24, BLOCKS=1, DILATIONS=[]))
    model.config = GeneralConfig(WIDTH=32, BLOCKS=1, DILATIONS=[])
    save_model(model, path)
    with pytest.raises(Pose3DError, match="layer entry"):
        NumpyNetwork.read(path)


def test_lifting_needs_neither_keras_nor_tensorflow():
    code = (
        "import sys, numpy as np, tf_pose3d\n"
        "lifter = tf_pose3d.load()\n"
        "points = np.random.default_rng(0).uniform(300, 700, (20, 17, 3)).astype('float32')\n"
        "points[..., 2] = 0.9\n"
        "person = lifter.lift(points, 1920, 1080, 30, 'coco_17')\n"
        "assert np.isfinite(person.pose_3d).all() and np.isfinite(person.uncertainty).all()\n"
        "assert 'General' in repr(lifter)\n"
        "print(sorted({'keras', 'tensorflow', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
