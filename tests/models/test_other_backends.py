"""Models run under Keras's other backends, without TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

CODE = """
import sys
import keras
import numpy as np
from tf_pose3d.models.uplift_upsample.model import UpliftUpsampleTransformer

assert keras.backend.backend() == sys.argv[1]
model = UpliftUpsampleTransformer(
    sequence_length=9, spatial_dim=8, temporal_dim=16, spatial_depth=1, temporal_depth=1,
    strides=(3, 3), num_heads=2, strided_input=True, first_attended_layer=1,
)
model.build()
for weight in model.weights:
    weight.assign(np.random.default_rng(weight.shape[0]).normal(size=weight.shape, scale=0.3))
inputs = {
    "keypoints_2d": np.linspace(-1, 1, 2 * 9 * 17 * 2, dtype="float32").reshape(2, 9, 17, 2),
    "stride_mask": np.tile(np.arange(9) % 2 == 0, (2, 1)),
}
outputs = model({name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}, training=False)
np.save(sys.argv[2], keras.ops.convert_to_numpy(outputs["pose_3d"]))
assert sys.argv[1] == "tensorflow" or "tensorflow" not in sys.modules
"""

DENSEWARPER = """
import sys
import keras
import numpy as np
from tf_pose3d.models.densewarper.model import DenseWarper
from tf_pose3d.models.pose_resnet.model import PoseResNet

assert keras.backend.backend() == sys.argv[1]
backbone = PoseResNet(5, 18, (4, 4, 4, 4), (4, 4, 4))
model = DenseWarper(backbone, 5, [0, 1, 2, 4], (0, 1), 4, 1, (1, 2), sigma=1.0)
model.build()
rng = np.random.default_rng(0)
for weight in model.weights:
    if "moving" not in weight.path:
        weight.assign(rng.normal(size=weight.shape, scale=0.3))
turned = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]])
inputs = {
    "image": rng.normal(size=(1, 2, 64, 64, 3)),
    "rotation": np.stack([turned, turned @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]])[None],
    "translation": np.array([[[3000, 100, 0], [0, 3000, 100]]]),
    "intrinsics": np.full((1, 2, 4), 60),
    "crop": np.tile([[0.5, 0, 2], [0, 0.5, 2]], (1, 2, 1, 1)),
}
inputs = {name: keras.ops.convert_to_tensor(value.astype("float32")) for name, value in inputs.items()}
outputs = model(inputs, training=False)
np.save(sys.argv[2], keras.ops.convert_to_numpy(outputs["keypoints_2d"]))
assert keras.ops.convert_to_numpy(outputs["pose_3d"]).shape == (1, 2, 4, 3)
assert sys.argv[1] == "tensorflow" or "tensorflow" not in sys.modules
"""


def run(backend, path, code=CODE):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-c", code, backend, str(path)], env=environment, check=True, timeout=300)


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_uplift_upsample(tmp_path, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    import numpy as np

    run(backend, tmp_path / "other.npy")
    run("tensorflow", tmp_path / "tensorflow.npy")
    expected = np.load(tmp_path / "tensorflow.npy")
    np.testing.assert_allclose(np.load(tmp_path / "other.npy"), expected, atol=1e-4)


def test_densewarper(tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed")
    import numpy as np

    run("torch", tmp_path / "other.npy", DENSEWARPER)
    run("tensorflow", tmp_path / "tensorflow.npy", DENSEWARPER)
    expected = np.load(tmp_path / "tensorflow.npy")
    assert len(np.unique(expected.round(3))) > 4
    np.testing.assert_allclose(np.load(tmp_path / "other.npy"), expected, atol=1e-2)
