"""The compiled operations where TensorFlow programs meet them: SavedModel, distribution, mixed precision."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.layers.deform_conv import DeformConv2D
from tf_pose3d.ops import deform_conv2d

REPOSITORY = Path(__file__).resolve().parents[2]


def run_python(code, *arguments, **environment):
    """Run code in a fresh interpreter; returns the finished process."""
    variables = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=variables,
        check=False,
        timeout=120,
    )


def test_saved_model_round_trip_in_a_process_without_this_package(compiled, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 6, 4)).astype("float32")
    offset = rng.normal(size=(2, 4, 4, 18)).astype("float32")

    class Model(tf.Module):
        def __init__(self):
            self.weight = tf.Variable(rng.normal(size=(3, 3, 4, 5)).astype("float32"))

        @tf.function(input_signature=[tf.TensorSpec((None, 6, 6, 4)), tf.TensorSpec((None, 4, 4, 18))])
        def __call__(self, x, offset):
            return deform_conv2d(x, offset, self.weight)

    model = Model()
    tf.saved_model.save(model, str(tmp_path / "model"))
    np.savez(tmp_path / "data.npz", x=x, offset=offset, y=model(x, offset).numpy())
    # Files hold the form of `keras.ops`, which sums in another order.
    code = """
import sys
import numpy as np
import tensorflow as tf
data = np.load(sys.argv[1] + "/data.npz")
y = tf.saved_model.load(sys.argv[1] + "/model")(data["x"], data["offset"])
np.testing.assert_allclose(y, data["y"], atol=1e-5)
"""
    result = run_python(code, tmp_path, PYTHONPATH="")
    assert result.returncode == 0, result.stderr[-2000:]


def test_mirrored_strategy_over_two_devices(compiled):
    code = """
import keras
import numpy as np
import tensorflow as tf
from tf_pose3d.layers.deform_conv import ModulatedDeformConv2D

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
rng = np.random.default_rng(0)
x = rng.normal(size=(8, 6, 6, 3)).astype("float32")
y = rng.normal(size=(8, 6, 6, 2)).astype("float32")
weights = None
results = []
for strategy in (tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()):
    with strategy.scope():
        keras.utils.set_random_seed(1)
        layer = ModulatedDeformConv2D(2, 3, padding="same", predict_offset=True)
        model = keras.Sequential([keras.Input((6, 6, 3)), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    results.append(model.get_weights())
    print(strategy.num_replicas_in_sync)
for a, b in zip(*results):
    np.testing.assert_allclose(a, b, atol=1e-5)
"""
    result = run_python(code, TF_POSE3D_OPS="require")
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == ["2", "1"]


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [
        ("mixed_float16", 3e-3),
        pytest.param("mixed_bfloat16", 2e-2, marks=pytest.mark.bfloat16),
    ],
)
def test_mixed_precision(compiled, policy, tolerance):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 8, 6)).astype("float32")
    keras.utils.set_random_seed(0)
    exact = DeformConv2D(4, 3, predict_offset=True)
    expected = exact(x)
    layer = DeformConv2D(4, 3, predict_offset=True, dtype=policy)
    layer.build(x.shape)
    layer.set_weights(exact.get_weights())
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(tf.cast(y, "float32") ** 2)
    assert y.dtype == keras.DTypePolicy(policy).compute_dtype
    assert {variable.dtype for variable in layer.trainable_variables} == {"float32"}
    grads = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    assert all(np.all(np.isfinite(grad)) for grad in grads)
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="no PyTorch for a second backend")
def test_other_backends_use_the_reference(golden):
    code = """
import sys
import numpy as np
from tf_pose3d.ops import deform_conv2d
data = np.load(sys.argv[1])
y = deform_conv2d(data["x"], data["offset"], data["weight"].transpose(2, 3, 1, 0), data["mask"], data["bias"],
    data["stride"].tolist(), data["padding"].tolist(), data["dilation"].tolist(),
    int(data["groups"]), int(data["deformable_groups"]), "NCHW")
np.testing.assert_allclose(y, data["y"], atol=1e-5)
print("tensorflow" in sys.modules)
"""
    result = run_python(
        code, golden / "deform_conv" / "v2_modulated.npz", KERAS_BACKEND="torch", TF_POSE3D_OPS="require"
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == ["False"]
