"""DeformConv2D and ModulatedDeformConv2D: shapes, configs, files, and what predicted offsets mean."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.deform_conv import DeformConv2D, ModulatedDeformConv2D
from tf_pose3d.ops import deform_conv2d
from tf_pose3d.ops.exporting import exporting

LAYERS = (DeformConv2D, ModulatedDeformConv2D)
SETTINGS = {
    "strides": (2, 1),
    "padding": ((1, 0), (2, 1)),
    "dilation_rate": (1, 2),
    "groups": 2,
    "deformable_groups": 3,
}


def random_like(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_shapes_are_inferred_for_any_batch_size(layer_class, data_format):
    shape = (9, 11, 6) if data_format == "channels_last" else (6, 9, 11)
    layer = layer_class(8, (3, 2), predict_offset=True, data_format=data_format, **SETTINGS)
    inputs = keras.Input(shape)
    outputs = layer(inputs)
    expected = (None, 4, 12, 8) if data_format == "channels_last" else (None, 8, 4, 12)
    assert outputs.shape == expected == layer.compute_output_shape((None, *shape))
    model = keras.Model(inputs, outputs)
    for batch in (1, 3):
        assert model(random_like((batch, *shape))).shape == (batch, *expected[1:])


@pytest.mark.parametrize("layer_class", LAYERS)
def test_config_round_trip(layer_class):
    layer = layer_class(
        8, 3, predict_offset=True, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1), **SETTINGS
    )
    copy = layer_class.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    copy.build((None, 9, 11, 6))
    assert copy.kernel.shape == (3, 3, 3, 8)
    assert copy.bias is None


@pytest.mark.parametrize("layer_class", LAYERS)
def test_model_file_round_trip(layer_class, tmp_path):
    maps = [keras.Input((8, 8, n), name=name) for name, n in (("x", 4), ("offset", 18), ("mask", 9))]
    inputs = maps[: 2 if layer_class is DeformConv2D else 3]
    model = keras.Model(inputs, layer_class(5, 3, padding=1)(*inputs))
    values = [random_like((2, *tensor.shape[1:]), seed) for seed, tensor in enumerate(inputs)]
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy.predict(values, verbose=0), model.predict(values, verbose=0))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_new_layer_is_an_ordinary_convolution(data_format):
    x = random_like((2, 7, 8, 4))
    given = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
    layer = DeformConv2D(5, 3, strides=2, padding="same", predict_offset=True, data_format=data_format)
    y = keras.ops.convert_to_numpy(layer(given))
    if data_format == "channels_first":
        y = y.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(y, tf.nn.conv2d(x, layer.kernel, 2, "SAME"), atol=1e-5)
    modulated = ModulatedDeformConv2D(5, 3, strides=2, padding="same", predict_offset=True)
    modulated.build(x.shape)
    modulated.kernel.assign(layer.kernel)
    np.testing.assert_allclose(modulated(x), y / 2, atol=1e-5)


def test_predicted_offsets_come_from_the_same_geometry():
    x = random_like((2, 9, 11, 6))
    layer = ModulatedDeformConv2D(4, 3, predict_offset=True, **SETTINGS)
    layer.build(x.shape)
    layer.offset_conv.kernel.assign(random_like(layer.offset_conv.kernel.shape, 1) * 0.1)
    padded = np.pad(x, ((0, 0), *SETTINGS["padding"], (0, 0)))
    # TensorFlow refuses strides together with dilation: every second row of the dilated convolution.
    maps = tf.nn.conv2d(padded, layer.offset_conv.kernel, 1, "VALID", dilations=(1, 2))[:, ::2]
    offset, mask = maps[..., : 2 * 27], tf.sigmoid(maps[..., 2 * 27 :])
    expected = deform_conv2d(
        x, offset, layer.kernel, mask, layer.bias, (2, 1), SETTINGS["padding"], (1, 2), 2, 3
    )
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_training_moves_every_weight(layer_class):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 6, 4)), layer_class(4, 3, padding=1, predict_offset=True)])
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.05), "mse")
    history = model.fit(random_like((8, 6, 6, 4)), random_like((8, 6, 6, 4), 1), epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_xla_is_not_chosen_for_models_with_these_layers():
    model = keras.Sequential([keras.Input((6, 6, 4)), DeformConv2D(4, 3, predict_offset=True)])
    model.compile("sgd", "mse", jit_compile="auto")
    assert not model.jit_compile


def test_strided_and_dilated_same_padding_with_unknown_sizes():
    layer = DeformConv2D(4, 3, strides=2, padding="same", dilation_rate=2, predict_offset=True)
    model = keras.Sequential([keras.Input((None, None, 4)), layer])
    for size, expected in (((9, 8), (5, 4)), ((6, 11), (3, 6))):
        assert model(random_like((1, *size, 4))).shape == (1, *expected, 4)


def test_wrong_use_is_named():
    x = random_like((2, 6, 6, 4))
    with pytest.raises(Pose3DError, match="offset is missing"):
        DeformConv2D(4, 3)(x)
    with pytest.raises(Pose3DError, match="mask is missing"):
        ModulatedDeformConv2D(4, 3)(x, random_like((2, 4, 4, 18)))
    with pytest.raises(Pose3DError, match="offset is given"):
        DeformConv2D(4, 3, predict_offset=True)(x, random_like((2, 4, 4, 18)))
    with pytest.raises(Pose3DError, match="offset: expected 18 channels"):
        DeformConv2D(4, 3)(x, random_like((2, 4, 4, 9)))
    with pytest.raises(Pose3DError, match="groups: 3 does not divide"):
        DeformConv2D(6, 3, groups=3)(x, random_like((2, 4, 4, 18)))
    with pytest.raises(Pose3DError, match="filters"):
        DeformConv2D(0, 3)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_activation(layer_class):
    x = random_like((2, 6, 6, 4))
    plain = layer_class(5, 3, predict_offset=True)
    layer = layer_class(5, 3, predict_offset=True, activation="relu")
    plain.build(x.shape)
    layer.build(x.shape)
    layer.set_weights(plain.get_weights())
    np.testing.assert_array_equal(layer(x), np.maximum(plain(x), 0))
    assert layer_class.from_config(layer.get_config()).activation is keras.activations.relu


class TestWrongCallsOnSymbolicInputs:
    def test_without_offsets(self):
        image = keras.Input((6, 6, 4))
        with pytest.raises(
            Pose3DError, match="offset is missing: pass it, or make the layer with predict_off"
        ):
            DeformConv2D(4, 3)(image)
        with pytest.raises(Pose3DError, match="mask is missing"):
            ModulatedDeformConv2D(4, 3)(image, keras.Input((4, 4, 18)))
        with pytest.raises(Pose3DError, match="offset is given but the layer predicts it"):
            DeformConv2D(4, 3, predict_offset=True)(image, keras.Input((4, 4, 18)))

    @pytest.mark.parametrize("image", [keras.Input((6, 6, 4)), random_like((1, 6, 6, 4))])
    def test_lists(self, image):
        with pytest.raises(
            Pose3DError, match=r"x is a list of 1, expected a tensor; .* as in dc\(x, offset\)"
        ):
            DeformConv2D(4, 3, name="dc")([image])
        with pytest.raises(Pose3DError, match=r"x is a list of 1, .* as in dc\(x\)"):
            DeformConv2D(4, 3, predict_offset=True, name="dc")([image])
        with pytest.raises(Pose3DError, match=r"x is a list of 2, .* as in dc\(x, offset, mask\)"):
            ModulatedDeformConv2D(4, 3, name="dc")([image, image])


SERVE = """
import sys
import numpy as np
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1])
np.save(sys.argv[3], served.serve(np.load(sys.argv[2])))
assert not any(name.startswith("tf_pose3d") for name in sys.modules)
"""


class TestExports:
    """Files hold the `keras.ops` form, also of a model that has run the compiled one."""

    @pytest.fixture(scope="class")
    def model(self):
        image = keras.Input((9, 8, 4))
        features = DeformConv2D(6, 3, strides=2, padding="same", predict_offset=True, activation="relu")(
            image
        )
        model = keras.Model(image, ModulatedDeformConv2D(4, 3, padding=1, predict_offset=True)(features))
        for number, weight in enumerate(model.weights):
            weight.assign(random_like(weight.shape, number) * 0.3)
        return model

    @pytest.fixture(scope="class")
    def case(self, model):
        x = random_like((3, 9, 8, 4), 7)
        return x, model.predict(x, verbose=0)

    @pytest.mark.parametrize("way", ["export", "tf.saved_model.save"])
    def test_saved_model_in_a_new_process(self, model, case, tmp_path, way):
        x, expected = case
        if way == "export":
            model.export(tmp_path / "model", verbose=False)
        else:
            module = tf.Module()
            module.model = model
            module.serve = tf.function(
                lambda batch: model(batch), [tf.TensorSpec((None, 9, 8, 4), tf.float32)], autograph=False
            )
            tf.saved_model.save(module, str(tmp_path / "model"))
        np.save(tmp_path / "x.npy", x)
        files = [str(tmp_path / name) for name in ("model", "x.npy", "y.npy")]
        done = subprocess.run(
            [sys.executable, "-c", SERVE, *files],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-4)

    def test_tflite(self, model, case, tmp_path):
        x, expected = case
        contents = [tf.lite.TFLiteConverter.from_keras_model(model).convert()]
        # Keras 3.12, the last for Python 3.10, has no such format.
        if tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 13):
            model.export(tmp_path / "model.tflite", format="litert", verbose=False)
            contents.append((tmp_path / "model.tflite").read_bytes())
        for content in contents:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                interpreter = tf.lite.Interpreter(model_content=content)
            place = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(place, x.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(place, x)
            interpreter.invoke()
            found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_onnx(self, model, case, tmp_path):
        pytest.importorskip("tf2onnx", reason="ONNX needs tf2onnx")
        onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX needs onnxruntime")
        x, expected = case
        model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_only_tracing_for_a_file_leaves_the_compiled_form(self, model):
        def operations(function):
            return {node.type for node in function.get_concrete_function().graph.get_operations()}

        x = tf.constant(random_like((1, 9, 8, 4)))
        if not any(name.startswith("TfPose3d") for name in operations(tf.function(lambda: model(x)))):
            pytest.skip("nothing is compiled here")
        with exporting():
            found = operations(tf.function(lambda: model(x)))
        assert not any(name.startswith("TfPose3d") for name in found)
