"""Prediction with shared frames against whole windows, and what evaluation makes of it."""

from __future__ import annotations

import contextlib
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.data import human36m
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation import prediction
from tf_pose3d.evaluation.prediction import predict_poses, predict_with_loss
from tf_pose3d.evaluation.protocols import get_protocol
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model

FAMILY = get_family("uplift")
PROTOCOL = get_protocol(FAMILY)
CONFIG = FAMILY.config_class.from_dict(
    {
        "BATCH_SIZE": 16,
        "SEQUENCE_LENGTH": 9,
        "SEQUENCE_STRIDE": 2,
        "MASK_STRIDE": [2, 4],
        "FIRST_STRIDED_TOKEN_ATTENTION_LAYER": 1,
        "STRIDES": [3, 3],
        "PADDINGS": [[1, 1], [0, 0]],
        "SPATIAL_EMBED_DIM": 8,
        "TEMPORAL_EMBED_DIM": 16,
        "SPATIAL_TRANSFORMER_BLOCKS": 1,
        "TEMPORAL_TRANSFORMER_BLOCKS": 1,
        "NUM_HEADS": 2,
        "DATASET_VAL_3D_SUBSAMPLE_STEP": 3,
    }
)
SEQUENCES = synthetic_sequences(["S9", "S11"], frames=31, actions=["Walking", "Sitting"])


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return build_model(CONFIG)


def make_windows(config=CONFIG, split="test", sequences=SEQUENCES):
    spec = FAMILY.data_spec(config, split)
    return Windows(sequences, spec, subjects=human36m.SUBJECTS, actions=human36m.ACTIONS)


def learned_something(model):
    """A network whose biases and statistics are unlike those that it starts with."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.split("/")[-1] in ("beta", "bias", "moving_mean"):
            weight.assign(random.normal(0, 0.1, weight.shape))
        elif weight.path.split("/")[-1] in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 2, weight.shape))
    return model


def make_family_windows(family, config):
    sequences = synthetic_sequences(["S9"], frames=31, actions=["Walking"], skeleton=config.skeleton)
    spec = family.data_spec(config, "test")
    return Windows(sequences, spec, subjects=human36m.SUBJECTS, actions=human36m.ACTIONS)


class WholeWindows(keras.Model):
    """Hides the model's parts, so that every window goes through it whole."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs, training=None):
        return self.inner(inputs, training=training)


@pytest.mark.parametrize("padding", ["copy", "zeros"])
@pytest.mark.parametrize("flip", [False, True])
def test_shared_frames_give_what_whole_windows_give(model, flip, padding):
    config = CONFIG.replace(MASK_STRIDE=4, PADDING_TYPE=padding)
    windows = make_windows(config)
    numbers = np.array([0, 1, 5, 30, 31, 40, 100, windows.num_centres - 1])
    shared = predict_poses(model, windows, 3, numbers, flip=flip)
    whole = predict_poses(WholeWindows(model), windows, 3, numbers, flip=flip)
    np.testing.assert_allclose(shared, whole, atol=2e-5)
    assert np.abs(shared[0] - shared[3]).max() > 1e-4


def test_chunks_change_nothing(model, monkeypatch):
    windows = make_windows(CONFIG.replace(MASK_STRIDE=4))
    expected = predict_poses(model, windows, 16)
    monkeypatch.setattr("tf_pose3d.evaluation.prediction._CHUNK", 17)
    np.testing.assert_allclose(predict_poses(model, windows, 5), expected, atol=2e-5)


@pytest.mark.parametrize("arch", ["martinez", "semgcn", "hgcn", "hoif"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_parts_for_cores_of_their_own_change_nothing(arch, flip, compiled, monkeypatch):
    family = get_family(arch)
    config = family.config_class.from_dict({"HID_DIM": 16})
    model = learned_something(build_model(config))
    windows = make_family_windows(family, config)
    predict = functools.partial(predict_poses, windows=windows, batch_size=16, flip=flip)
    monkeypatch.setattr(prediction, "folded_weights", lambda model: contextlib.nullcontext())
    expected = predict(model)
    monkeypatch.undo()
    monkeypatch.setattr(prediction, "cores_apart", lambda: 3)
    monkeypatch.setattr(prediction, "_CPU_FRAMES", 7)
    monkeypatch.setattr(prediction, "_PART", 1)
    vars(model).pop(prediction._HELD)
    np.testing.assert_allclose(predict(model, jit_compile=compiled), expected, atol=1e-5)
    # One window: two parts have none.
    one = predict(model, jit_compile=compiled, indices=np.array([3]))
    np.testing.assert_allclose(one, expected[3:4], atol=1e-5)


def test_weights_that_changed_are_seen():
    family = get_family("martinez")
    config = family.config_class.from_dict({"HID_DIM": 16})
    model = build_model(config)
    windows = make_family_windows(family, config)
    first = predict_poses(model, windows, 16)
    for weight in model.weights:
        if "moving_variance" in weight.path:
            weight.assign(weight * 4)
    assert np.abs(predict_poses(model, windows, 16) - first).max() > 1e-3


def test_compiled_prediction_agrees(model):
    windows = make_windows(CONFIG.replace(MASK_STRIDE=4), sequences=SEQUENCES[:1])
    expected = predict_poses(model, windows, 16)
    np.testing.assert_allclose(predict_poses(model, windows, 16, jit_compile=True), expected, atol=2e-5)


def test_a_video_of_one_frame_gets_its_pose(model):
    windows = make_windows(sequences=synthetic_sequences(["S9"], frames=1, actions=["Walking"]))
    results = list(PROTOCOL.evaluate(model, CONFIG, windows))
    assert [result.label for result in results] == ["s_in=2", "s_in=4"]
    assert all(np.isfinite(result.poses).all() for result in results)
    assert results[0].poses.shape == (4, 17, 3)


def test_only_keyframes_are_predicted_and_the_rest_interpolated(model):
    windows = make_windows(CONFIG.replace(MASK_STRIDE=2))
    (result,) = PROTOCOL.evaluate(model, CONFIG.replace(MASK_STRIDE=2), windows)
    every = predict_poses(model, windows, 16)
    even = result.frame % 2 == 0
    np.testing.assert_allclose(result.poses[even], every[even], atol=2e-5)
    odd = np.flatnonzero(~even & (result.frame < 29))
    middle = (every[odd - 1] + every[odd + 1]) / 2
    np.testing.assert_allclose(result.poses[odd], middle, atol=2e-5)
    assert set(result.results) == {"all_frames", "keyframes"}
    assert result.results["keyframes"]["frames"]["total"] == 16 * 16


def test_tables_and_files_hold_the_results(model, tmp_path):
    windows = make_windows()
    results = list(PROTOCOL.evaluate(model, CONFIG, windows))
    text = PROTOCOL.tables(results[0])
    assert "s_in=2, all frames" in text
    assert "Walking" in text
    assert "Not in the data and so not in the average: Directions" in text
    assert "Walking" not in PROTOCOL.tables(results[0], action_wise=False)
    PROTOCOL.save_predictions(tmp_path / "p.npz", results, windows)
    saved = np.load(tmp_path / "p.npz")
    np.testing.assert_array_equal(saved["s_in=4/pose_3d"], results[1].poses)
    assert saved["camera"].tolist()[:4] == [camera.id for camera in human36m.CAMERAS["S9"]]
    assert saved["action"][0] == "Walking" or saved["action"][0] == "Sitting"
    assert len(saved["joints"]) == 17


def test_validation_measures_loss_and_both_averages(model):
    windows = make_windows(split="val")
    metrics = PROTOCOL.validate(model, CONFIG, windows, action_wise=True)
    assert set(metrics) == {
        "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE",
    }  # fmt: skip
    poses, targets, actions, loss = predict_with_loss(
        model, windows, 16, FAMILY.loss(CONFIG, "val"), flip=True
    )
    assert len(poses) == len(targets) == len(actions) == windows.num_centres
    assert loss == pytest.approx(metrics["loss"], rel=1e-5)
    error = (poses - poses[:, 6:7]) - (targets - targets[:, 6:7])
    assert 1000 * np.linalg.norm(error, axis=-1).mean() == pytest.approx(metrics["MPJPE"], rel=1e-5)
    few = PROTOCOL.validate(model, CONFIG.replace(VALIDATION_EXAMPLES=5), windows, action_wise=False)
    assert set(few) == {"loss", "MPJPE", "NMPJPE", "PAMPJPE"}
    assert few["MPJPE"] != pytest.approx(metrics["MPJPE"], rel=1e-3)


def test_a_perfect_model_has_no_error():
    class Oracle(keras.Model):
        def call(self, inputs, training=None):
            pose = inputs["pose_3d"][:, 4]
            return {"pose_3d": pose - pose[:, 6:7], "pose_3d_sequence": None}

    windows = make_windows(split="val")

    def loss(outputs, batch):
        return tf.reduce_mean(tf.abs(outputs["pose_3d"][:, 6]))

    poses, targets, _, value = predict_with_loss(Oracle(), windows, 16, loss, flip=True)
    assert value == 0
    np.testing.assert_allclose(poses, targets - targets[:, 6:7], atol=1e-6)
