"""D3DP equals its release: the network, one denoising step, and DDIM with fixed noise."""

import json

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.protocols.hypotheses import hypothesis_errors
from tf_pose3d.models.d3dp.model import cosine_schedule, sampling_times
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import as_config
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters import converter as converter_module


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


@pytest.fixture
def case(golden, made_tensors, monkeypatch):
    """(model, keypoints, noises, expected arrays)."""
    folder = golden / "d3dp/frames7"
    facts = json.loads((folder / "expected.json").read_text())
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    # As the release's file has them: the network's own names with a prefix, and the schedule beside it.
    tensors = {f"pose_estimator.{name}": values for name, values in made_tensors(facts["shapes"]).items()}
    tensors["betas"] = np.zeros(1000)
    tensors["posterior_variance"] = np.zeros(1000)
    held = Checkpoint("h36m_best_epoch.bin", tensors, {})
    monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path: held)
    model = tf_pose3d.convert("h36m_best_epoch.bin", "d3dp", sampling_steps=3, proposals=2, num_heads=8)
    assert model.count_params() >= facts["parameters"]
    random = np.random.RandomState(4)
    keypoints = random.uniform(-1, 1, (1, 7, 17, 2)).astype(np.float32)
    noises = [random.normal(size=(1, 2, 7, 17, 3)).astype(np.float32) for _ in range(3)]
    return model, keypoints, noises, arrays


def test_schedule_and_times(case):
    arrays = case[3]
    np.testing.assert_allclose(cosine_schedule(1000)[[0, 333, 999]], arrays["alphas"], rtol=1e-6)
    assert sampling_times(1000, 3) == [(999, 665), (665, 332), (332, -1)]
    assert [time for time, _ in sampling_times(1000, 5)] == [999, 799, 599, 399, 199]


def test_network_step_and_sampling_equal_the_release(case):
    model, keypoints, noises, arrays = case
    both = np.repeat(keypoints, 2, axis=0)
    flat = [noise[0] for noise in noises]
    clean = model.denoise(both, np.clip(flat[0], -1.1, 1.1), np.array([300.0], np.float32))
    assert_close(clean, arrays["network"][0])
    assert_close(model.predict_start(both, flat[0], 300), arrays["start"][0])
    assert_close(model.sample(both, flat), arrays["sampled"][0])


def test_hypotheses_are_the_same_each_time_and_their_mean_is_the_pose(case):
    model, keypoints, _, _ = case
    first, second = model(keypoints), model(keypoints)
    hypotheses = np.asarray(first["pose_3d_hypotheses"])
    assert hypotheses.shape == (1, 2, 7, 17, 3)
    np.testing.assert_array_equal(hypotheses, second["pose_3d_hypotheses"])
    assert (hypotheses[:, 0] != hypotheses[:, 1]).any()
    np.testing.assert_allclose(first["pose_3d_sequence"], hypotheses.mean(axis=1), atol=1e-6)
    assert not np.asarray(first["pose_3d"])[:, 0].any()


def test_training_draws_a_time_and_noise_for_each_clip(case):
    model, keypoints, _, _ = case
    batch = {"keypoints_2d": keypoints, "pose_3d": np.zeros((1, 7, 17, 3), np.float32)}
    first, second = (np.asarray(model(batch, training=True)["pose_3d_sequence"]) for _ in range(2))
    assert (first != second).any()
    loss = get_family("d3dp").loss(model.config)
    assert np.isfinite(float(loss({"pose_3d_sequence": first}, batch)))
    with pytest.raises(Pose3DError, match="training reads pose_3d"):
        model({"keypoints_2d": keypoints}, training=True)


def test_the_best_of_several_poses_by_hand():
    target = np.zeros((1, 2, 3))
    hypotheses = np.zeros((1, 2, 2, 3))
    hypotheses[0, 0, :, 0] = [1, 4]
    hypotheses[0, 1, :, 0] = [-3, 0]
    errors = {name: float(values[0]) for name, values in hypothesis_errors(hypotheses, target).items()}
    assert errors == {"p_agg": 1.5, "p_best": 1.5, "j_best": 0.5}


def test_an_evaluation_says_how_many_hypotheses_it_wants():
    config = as_config("d3dp").replace(
        FRAMES=5, CHANNELS=8, LAYERS=1, NUM_HEADS=2, CLIP_STRIDE=5, PROPOSALS=2, SAMPLING_STEPS=2
    )
    model = tf_pose3d.build_model(config)
    results = tf_pose3d.evaluate(
        model, "synthetic", "S9", options={"frames": 12}, PROPOSALS=3, SAMPLING_STEPS=1
    )["all"]
    assert results["hypotheses"]["count"] == 3
    average = results["hypotheses"]["action_wise_average"]
    assert average["j_best"] < average["p_best"]
    assert average["p_agg"] == pytest.approx(results["all_frames"]["action_wise_average"]["mpjpe"], rel=1e-5)


@pytest.mark.slow
def test_the_shipped_config_has_the_published_size():
    model = tf_pose3d.build_model("d3dp_243")
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == 34_835_459


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(Pose3DError, match="SAMPLING_STEPS is 10, expected fewer than DIFFUSION_STEPS 10"):
        as_config("d3dp").replace(DIFFUSION_STEPS=10, SAMPLING_STEPS=10)
