"""What every network is to Keras: bare arrays, files that keep the config, `fit` with the family's loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import tf_pose3d
from tf_pose3d import losses, metrics
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.models.family import FAMILIES, get_family
from tf_pose3d.models.loading import build_model
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton

# Small networks of every family.
CONFIGS = {
    "martinez": {"HID_DIM": 32, "DROP_RATE": 0.0},
    "hoif": {"HID_DIM": 4},
    "hgcn": {"HID_DIM": 4},
    "semgcn": {"HID_DIM": 8},
    "lcn": {"CHANNELS": 4, "LAYERS": 1},
    "videopose3d": {"CHANNELS": 16, "FILTER_WIDTHS": [3, 3], "DROP_RATE": 0.0},
    "rie": {"CHANNELS": 8, "FILTER_WIDTHS": [3, 3], "LATENT_FEATURES": 8, "HIDDEN_FEATURES": 16},
    "ehfusion": {"CHANNELS": 8, "FILTER_WIDTHS": [3, 3], "LATENT_FEATURES": 8, "HIDDEN_FEATURES": 16},
    "poseformer": {"FRAMES": 9, "JOINT_DIM": 8, "DEPTH": 1, "NUM_HEADS": 2},
    "strided": {"FRAMES": 27, "CHANNELS": 16, "HIDDEN": 16, "LAYERS": 1, "NUM_HEADS": 2},
    "uplift": {
        "SEQUENCE_LENGTH": 9,
        "SEQUENCE_STRIDE": 1,
        "MASK_STRIDE": [2],
        "STRIDES": [3, 3],
        "PADDINGS": [[1, 1], [0, 0]],
        "SPATIAL_EMBED_DIM": 8,
        "TEMPORAL_EMBED_DIM": 16,
        "NUM_HEADS": 2,
        "DROP_PATH_RATE": 0.0,
    },
}
WITHOUT_WINDOWS = ("pose2d", "densewarper")


def config_of(name):
    config_class = get_family(name).config_class
    known = config_class().to_dict()
    return config_class.from_dict({key: value for key, value in CONFIGS[name].items() if key in known})


def made(name, **changes):
    config = config_of(name)
    return build_model(config.replace(**changes) if changes else config)


def sequences(skeleton, count=2, frames=60, seed=0):
    """Poses that move smoothly before a camera, and what it sees of them."""
    rng = np.random.default_rng(seed)
    layout = get_skeleton(skeleton)
    camera = default_camera(1000, 1000)
    found = []
    for number in range(count):
        base = rng.normal(0, 0.3, (1, layout.num_joints, 3))
        swing = rng.normal(0, 0.15, (1, layout.num_joints, 3))
        time = np.arange(frames)[:, None, None] / 10
        pose = base + swing * np.sin(time + rng.uniform(0, 6, (1, layout.num_joints, 1))) + [0, 0, 4.5]
        seen = pose[..., :2] / pose[..., 2:] * 1000 + 500
        found.append(
            Sequence(
                subject=f"S{number}",
                action="walk",
                name=f"S{number} walk",
                skeleton=layout,
                camera=camera,
                pose_2d=seen.astype(np.float32),
                pose_3d=pose.astype(np.float32),
            )
        )
    return found


def windows_of(model, split="train"):
    family = get_family(model.config.ARCH)
    spec = family.data_spec(model.config, split)
    return Windows(sequences(family.skeleton(model.config)), spec)


def example(model, count=2, seed=0):
    """Random inputs of the shapes that the model names."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name, shape in model.input_shapes.items():
        shape = tuple(size or (64 if name == "image" else count) for size in (count, *shape[1:]))
        inputs[name] = rng.uniform(-0.5, 0.5, shape).astype("float32")
    if "stride_mask" in inputs:
        inputs["stride_mask"] = np.arange(inputs["stride_mask"].size).reshape(count, -1) % 2 == 0
    return inputs


@pytest.mark.parametrize("name", CONFIGS)
class TestEveryFamily:
    def test_bare_arrays(self, name):
        model = made(name)
        assert isinstance(model, PoseModel)
        inputs = example(model)
        expected = model(inputs)
        if len(inputs) == 1:
            (array,) = inputs.values()
            found = model(array)
            assert found.keys() == expected.keys()
            for key in expected:
                np.testing.assert_array_equal(found[key], expected[key])
            np.testing.assert_allclose(
                next(iter(model.predict(array, verbose=0).values())), next(iter(expected.values())), atol=1e-5
            )
        else:
            with pytest.raises(Pose3DError, match=f"{model.name} reads {', '.join(inputs)}: give a dict"):
                model(inputs["keypoints_2d"])
            with pytest.raises(Pose3DError, match=r"the inputs lack .*, they have keypoints_2d"):
                model({"keypoints_2d": inputs["keypoints_2d"]})

    def test_further_channels_are_passed_over(self, name):
        model = made(name)
        inputs = example(model)
        more = np.concatenate([inputs["keypoints_2d"], inputs["keypoints_2d"][..., :1]], axis=-1)
        found, expected = model({**inputs, "keypoints_2d": more}), model(inputs)
        for key in expected:
            np.testing.assert_array_equal(found[key], expected[key])

    def test_other_joints_are_named(self, name):
        model = made(name)
        inputs = example(model)
        joints = inputs["keypoints_2d"].shape[2]
        with pytest.raises(Pose3DError, match=rf"keypoints_2d has shape .*, expected \(B, .*{joints}, "):
            model({**inputs, "keypoints_2d": inputs["keypoints_2d"][:, :, 1:]})

    def test_file_keeps_the_config(self, name, tmp_path):
        model = made(name)
        model.save(tmp_path / "model.keras")
        copy = keras.models.load_model(tmp_path / "model.keras")
        assert type(copy) is type(model)
        assert copy.config == model.config
        inputs = example(model)
        found, expected = copy(inputs), model(inputs)
        for key in expected:
            np.testing.assert_array_equal(found[key], expected[key])
        assert Lifter(copy).skeleton.name == Lifter(model).skeleton.name
        json.loads(model.to_json())
        assert model.name in repr(model)
        model.summary(print_fn=lambda line: None)

    def test_fit(self, name):
        keras.utils.set_random_seed(0)
        model = made(name)
        model.compile(optimizer=keras.optimizers.Adam(1e-3))
        windows = windows_of(model)
        history = model.fit(
            windows.training_dataset(16),
            steps_per_epoch=2,
            validation_data=windows_of(model, "val").ordered_batches(16),
            verbose=0,
        ).history
        assert np.isfinite(history["loss"]).all()
        assert np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize("name", ["martinez", "videopose3d", "uplift"])
def test_fit_learns(name):
    keras.utils.set_random_seed(0)
    model = made(name)
    windows = windows_of(model)
    root = get_family(model.config.ARCH).root_joint(model.config)
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        metrics=[metrics.MPJPE(root=root, scale=1000), metrics.PAMPJPE(scale=1000)],
    )
    before = model.evaluate(windows.ordered_batches(64), verbose=0, return_dict=True)
    history = model.fit(windows.training_dataset(32), steps_per_epoch=40, epochs=5, verbose=0).history
    after = model.evaluate(windows.ordered_batches(64), verbose=0, return_dict=True)
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert after["mpjpe"] < 0.6 * before["mpjpe"]
    assert after["mpjpe"] == pytest.approx(measured(model, windows, root), rel=1e-3)


def measured(model, windows, root):
    errors = []
    for batch in windows.ordered_batches(64):
        pose = np.asarray(batch["pose_3d"])
        errors.append(mpjpe(np.asarray(model(batch)["pose_3d"]), pose[:, pose.shape[1] // 2], root=root))
    return 1000 * np.concatenate(errors).mean()


class TestTraining:
    def test_one_step_is_the_trainers(self):
        """The same batch, the same gradient: plain descent from the same weights goes to the same place."""
        import tensorflow as tf

        model, other = made("videopose3d"), made("videopose3d")
        other.set_weights(model.get_weights())
        windows = windows_of(model)
        model.compile(keras.optimizers.SGD(0.1))
        model.fit(windows.training_dataset(16), steps_per_epoch=1, verbose=0)
        family = get_family(other.config.ARCH)
        family.begin_epoch(other, other.config, 1)
        batch = next(iter(windows.training_dataset(16)))
        with tf.GradientTape() as tape:
            loss = family.loss(other.config)(other(batch, training=True), batch)
        gradients = tape.gradient(loss, [weight.value for weight in other.trainable_variables])
        for weight, gradient in zip(other.trainable_variables, gradients, strict=True):
            weight.assign_sub(0.1 * gradient)
        for found, expected in zip(model.weights, other.weights, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_own_loss_and_pairs(self):
        model = made("martinez")
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(32, 16, 2)).astype("float32"), rng.normal(size=(32, 16, 3)).astype("float32")
        model.compile("adam", loss=losses.MPJPE(root=0), metrics=[metrics.MPJPE(root=0)])
        history = model.fit(x, y, epochs=3, validation_data=(x, y), verbose=0).history
        assert history["loss"][-1] < history["loss"][0]
        assert set(history) == {"loss", "mpjpe", "val_loss", "val_mpjpe"}
        model.compile("adam", loss={"pose_3d": losses.MPJPE(root=0)}, metrics={"pose_3d": metrics.PAMPJPE()})
        named = model.fit(x, {"pose_3d": y}, epochs=1, verbose=0).history
        assert any("pa_mpjpe" in name for name in named)

    def test_own_loss_on_windows(self):
        model = made("videopose3d")
        model.compile(keras.optimizers.Adam(1e-2), loss=losses.MPJPE())
        windows = windows_of(model)
        history = model.fit(windows.training_dataset(16), steps_per_epoch=10, epochs=3, verbose=0).history
        assert history["loss"][-1] < history["loss"][0]

    def test_back_to_the_familys_loss(self):
        model = made("martinez")
        model.compile("sgd", loss=losses.MPJPE())
        model.compile("sgd")
        model.fit(windows_of(model).training_dataset(16), steps_per_epoch=1, verbose=0)

    def test_weights_that_a_stage_leaves(self):
        model = made("rie", STAGE=2)
        family = get_family("rie")
        wanted = {weight.path for weight in family.trained_variables(model, model.config)}
        assert wanted < {weight.path for weight in model.trainable_variables}
        before = {weight.path: np.array(weight) for weight in model.trainable_variables}
        model.compile(keras.optimizers.SGD(0.1))
        assert {weight.path for weight in model.trainable_variables} == wanted
        model.fit(windows_of(model).training_dataset(16), steps_per_epoch=1, verbose=0)
        after = {weight.path: np.array(weight) for weight in model.weights}
        moved = {path for path, values in before.items() if np.any(values != after[path])}
        assert moved <= wanted
        assert moved
        model.compile("sgd", loss=losses.MPJPE())
        assert {weight.path for weight in model.trainable_variables} == set(before)

    def test_compiled_model_trains_on_after_loading(self, tmp_path):
        model = made("martinez")
        windows = windows_of(model)
        model.compile(keras.optimizers.Adam(1e-3), metrics=[metrics.PAMPJPE()])
        model.fit(windows.training_dataset(16), steps_per_epoch=3, verbose=0)
        model.save(tmp_path / "model.keras")
        copy = keras.models.load_model(tmp_path / "model.keras")
        assert int(copy.optimizer.iterations) == 3
        for run in (model, copy):
            run.fit(windows.training_dataset(16, first_step=3), steps_per_epoch=3, verbose=0)
        for found, expected in zip(copy.weights, model.weights, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_what_is_missing_is_said(self):
        model = made("martinez")
        x, y = np.zeros((4, 16, 2), "float32"), np.zeros((4, 16, 3), "float32")
        model.compile("sgd")
        with pytest.raises(Pose3DError, match=r"for pairs \(x, y\) give compile\(loss=...\)"):
            model.fit(x, y, verbose=0)
        plain = type(model)(width=8)
        with pytest.raises(Pose3DError, match="has no config, which names its loss"):
            plain.compile("sgd")
        plain.compile("sgd", loss=losses.MPJPE())
        plain.fit(x, y, verbose=0)


def test_images_and_views():
    backbone = build_model(get_family("pose2d").config_class.from_dict({"NUM_LAYERS": 18}))
    assert list(backbone.input_shapes) == ["image"]
    images = np.zeros((1, 64, 64, 3), "float32")
    np.testing.assert_array_equal(backbone(images)["heatmaps"], backbone({"image": images})["heatmaps"])
    with pytest.raises(
        Pose3DError, match=r"image has shape \(64, 64, 3\), expected \(B, any, any, 3\); put an"
    ):
        backbone(images[0])


class TestBuildModel:
    def test_by_name(self):
        for name in ("martinez", "Martinez"):
            model = tf_pose3d.build_model(name)
            assert model.config == get_family("martinez").config_class()

    @pytest.mark.slow
    @pytest.mark.parametrize("name", [short for short, _ in FAMILIES.values()])
    def test_every_default(self, name):
        assert build_model(name).built

    def test_bad_names(self):
        with pytest.raises(
            Pose3DError,
            match=r"'martines' is no config file, shipped config or family \(did you mean Martinez",
        ):
            build_model("martines")


FRESH = """
import sys, json
import numpy as np
import tf_pose3d
model = tf_pose3d.load_model(sys.argv[1])
pose = model(np.ones((1, 16, 2), "float32"))["pose_3d"]
print(json.dumps({"config": model.config.to_dict(), "pose": np.asarray(pose).tolist()}))
"""


def test_a_new_process_reads_the_file(tmp_path):
    model = made("martinez")
    model.save(tmp_path / "model.keras")
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path / "model.keras")],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["config"] == model.config.to_dict()
    np.testing.assert_allclose(found["pose"], model(np.ones((1, 16, 2), "float32"))["pose_3d"], atol=1e-5)


def test_keras_files_that_are_no_models_of_ours(tmp_path):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(
        Pose3DError, match=r"other\.keras holds a 'Sequential', not a network of this package"
    ):
        tf_pose3d.load_model(tmp_path / "other.keras")
    (tmp_path / "broken.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(Pose3DError, match=r"broken\.keras is not a Keras model file"):
        tf_pose3d.load_model(tmp_path / "broken.keras")


SERVE = """
import sys
import numpy as np
import tensorflow as tf
served = tf.saved_model.load(sys.argv[1])
batch = dict(np.load(sys.argv[2]))
np.save(sys.argv[3], served.serve(batch)["pose_3d"])
"""


@pytest.mark.parametrize("name", ["uplift", "videopose3d"])
def test_export_from_a_notebook(name, tmp_path):
    """No call before, no package in the process that loads the file."""
    model = made(name)
    model.export(tmp_path / "model", verbose=False)
    inputs = example(model)
    np.savez(tmp_path / "x.npz", **inputs)
    files = [str(tmp_path / file) for file in ("model", "x.npz", "y.npy")]
    done = subprocess.run(
        [sys.executable, "-c", SERVE, *files],
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(inputs)["pose_3d"], atol=1e-4)
