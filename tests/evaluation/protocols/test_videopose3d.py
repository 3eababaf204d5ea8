import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjve, n_mpjpe, p_mpjpe, protocol_1
from tf_pose3d.evaluation.protocols.videopose3d import evaluate_videos, format_results

rng = np.random.default_rng(0)
LENGTHS = (5, 8, 1)
ACTIONS = ["Walking", "Eating", "Eating"]


def make_poses():
    target = rng.normal(size=(sum(LENGTHS), 17, 3)).astype(np.float32)
    pred = target - target[:, :1] + rng.normal(scale=0.1, size=target.shape).astype(np.float32)
    return pred, target, np.repeat(np.arange(len(LENGTHS)), LENGTHS)


def test_averages_over_frames_then_actions():
    pred, target, video = make_poses()
    centred = target - target[:, :1]
    results = evaluate_videos(pred, target, video, ACTIONS, root=0)
    eating = video > 0
    for name, metric in (("mpjpe", protocol_1), ("pampjpe", p_mpjpe), ("nmpjpe", n_mpjpe)):
        per_action = [1000 * metric(pred[rows], centred[rows]) for rows in (~eating, eating)]
        assert results["per_action"]["Walking"][name] == pytest.approx(per_action[0])
        assert results["per_action"]["Eating"][name] == pytest.approx(per_action[1])
        assert results["action_wise_average"][name] == pytest.approx(np.mean(per_action))
        assert results["frame_wise"][name] == pytest.approx(1000 * metric(pred, centred))
    assert results["frames"] == {"total": 14, "per_action": {"Walking": 5, "Eating": 9}}


def test_velocity_is_by_video_and_passes_over_single_frames():
    pred, target, video = make_poses()
    results = evaluate_videos(pred, target, video, ACTIONS, root=0)
    centred = target - target[:, :1]
    videos = [1000 * mpjve(pred[video == n], centred[video == n]) for n in (0, 1)]
    assert results["per_action"]["Eating"]["mpjve"] == pytest.approx(videos[1])
    assert results["frame_wise"]["mpjve"] == pytest.approx(np.average(videos, weights=[5, 8]))


def test_only_single_frames():
    pred, target, _ = make_poses()
    results = evaluate_videos(pred[:2], target[:2], np.arange(2), ["Walking", "Eating"], root=0)
    assert results["frame_wise"]["mpjve"] is None
    assert results["action_wise_average"]["mpjve"] is None
    assert " - " in format_results({"all_frames": results})


def test_a_prediction_that_is_not_finite_is_no_missing_number():
    pred, target, video = make_poses()
    pred[0, 3] = np.nan
    results = evaluate_videos(pred, target, video, ACTIONS, root=0)
    assert all(np.isnan(value) for value in results["per_action"]["Walking"].values())
    assert all(np.isfinite(value) for value in results["per_action"]["Eating"].values())


def test_no_pose():
    empty = np.zeros((0, 17, 3))
    with pytest.raises(Pose3DError, match="no pose"):
        evaluate_videos(empty, empty, np.zeros(0, int), [], root=0)
