"""Predictors that share work between frames give what the model gives window by window."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.camera import Camera
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.prediction import Predictor, predict_poses, predictor_of
from tf_pose3d.models.family import get_family

SMALL = {"FILTER_WIDTHS": [3, 3], "CHANNELS": 8}
STAGED = {**SMALL, "LATENT_FEATURES": 8, "HIDDEN_FEATURES": 16}
CASES = {
    "videopose3d": ("videopose3d", SMALL),
    "widths": ("videopose3d", {**SMALL, "FILTER_WIDTHS": [5, 1, 3]}),
    "causal": ("videopose3d", {**SMALL, "CAUSAL": True}),
    "dense": ("videopose3d", {**SMALL, "DENSE": True}),
    "downsampled": ("videopose3d", {**SMALL, "DOWNSAMPLE": 3}),
    "rie": ("rie", STAGED),
    "rie stage 2": ("rie", {**STAGED, "STAGE": 2}),
    "rie causal": ("rie", {**STAGED, "CAUSAL": True, "DOWNSAMPLE": 2}),
    "ehfusion": ("ehfusion", STAGED),
    "ehfusion released": ("ehfusion", {**STAGED, "STRATEGY": "one_stage_released"}),
    "ehfusion without cameras": ("ehfusion", {**STAGED, "CAMERA": "zeros"}),
}


def make(case, seed=0):
    arch, values = CASES[case]
    family = get_family(arch)
    config = family.config_class.from_dict(values)
    keras.utils.set_random_seed(seed)
    model = family.build_model(config)
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        positive = "variance" in weight.path or "gamma" in weight.path
        scale = weight.shape[0] ** -0.5
        value = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, scale, weight.shape)
        weight.assign(value)
    return family, config, model


def make_sequences(lengths):
    sequences = synthetic_sequences(["S9"], frames=40, actions=["Walking"], skeleton="h36m_17")
    return [
        dataclasses.replace(sequence, pose_2d=sequence.pose_2d[:length], pose_3d=sequence.pose_3d[:length])
        for sequence, length in zip(sequences, lengths, strict=False)
    ]


def mirrored(values, order):
    values = tf.gather(values, order, axis=-2).numpy()
    values[..., 0] *= -1
    return values


def window_by_window(model, windows):
    batch = windows.batch(tf.range(windows.num_centres))
    pose = model(batch, training=False)["pose_3d"].numpy()
    order = list(windows.store.skeleton.flip_order)
    intrinsics = batch["intrinsics"].numpy()
    intrinsics[:, [4, 9]] *= -1
    image = {"keypoints_2d": mirrored(batch["keypoints_2d"], order), "intrinsics": intrinsics}
    return pose, mirrored(model(image, training=False)["pose_3d"], order)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_model_window_by_window(case):
    family, config, model = make(case)
    # One frame, fewer than a window, more than one.
    windows = Windows(make_sequences([1, 5, 40]), family.data_spec(config, "test"))
    straight, image = window_by_window(model, windows)
    for flip, expected in ((False, straight), (True, (straight + image) / 2)):
        poses = Predictor(model, flip)(windows, batch_size=16)
        np.testing.assert_allclose(poses, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("case", ["videopose3d", "ehfusion"])
def test_some_windows_only(case):
    family, config, model = make(case)
    windows = Windows(make_sequences([7, 30]), family.data_spec(config, "test"))
    predictor = Predictor(model)
    numbers = np.array([0, 3, 8, 20])
    done = []
    poses = predictor(windows, 3, numbers, done.append)
    np.testing.assert_allclose(poses, predictor(windows, 64)[numbers], rtol=1e-4, atol=2e-5)
    assert sum(done) == 4


def test_long_videos_are_cut_into_pieces(monkeypatch):
    from tf_pose3d.evaluation import temporal_prediction

    family, config, model = make("videopose3d")
    windows = Windows(make_sequences([40]), family.data_spec(config, "test"))
    whole = Predictor(model)(windows, 16)
    monkeypatch.setattr(temporal_prediction, "_SEQUENCE_FRAMES", 7)
    np.testing.assert_allclose(Predictor(model)(windows, 16), whole, rtol=1e-4, atol=2e-5)


def test_missing_intrinsics_give_no_silent_nan():
    family, config, model = make("ehfusion")
    (sequence,) = make_sequences([5])
    sequence = dataclasses.replace(sequence, camera=Camera("0", 1000, 1000))
    spec = dataclasses.replace(family.data_spec(config, "test"), intrinsics_for=None)
    windows = Windows([sequence], spec)
    with pytest.raises(Pose3DError, match=r"Walking.*no camera intrinsics"):
        Predictor(model)(windows, 4)


def test_predictors_are_kept_until_the_weights_change():
    family, config, model = make("videopose3d")
    windows = Windows(make_sequences([7, 12]), family.data_spec(config, "test"))
    kept = predictor_of(model)
    before = predict_poses(model, windows, 16)
    assert predictor_of(model) is kept
    assert predictor_of(model, flip=False) is not kept
    for variable in model.variables:
        variable.assign(variable + 0.01)
    after = predict_poses(model, windows, 16)
    np.testing.assert_allclose(after, Predictor(model)(windows, 16), rtol=1e-5, atol=1e-6)
    assert np.abs(after - before).max() > 1e-3


def test_windows_by_video():
    family, config, _ = make("videopose3d")
    sequences = [dataclasses.replace(one, fps=100) for one in make_sequences([3, 1, 8])]
    windows = Windows(sequences, family.data_spec(config, "test"))
    numbers = np.random.default_rng(0).permutation(windows.num_centres)
    video, frame = windows.centre_frames(numbers)
    seen = []
    for number, phase, those, places in windows.by_video(numbers):
        np.testing.assert_array_equal(video[those], number)
        np.testing.assert_array_equal(frame[those], phase + 2 * places)
        seen.extend(those)
    assert sorted(seen) == list(range(12))
    assert list(windows.by_video(np.zeros(0, int))) == []
