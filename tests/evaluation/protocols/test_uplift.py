import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.keyframes import interpolate_keyframes
from tf_pose3d.evaluation.protocols.uplift import evaluate_poses


def poses_of(count, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2, 3)).astype(dtype)


def interpolated_with_numpy(poses, frames, stride):
    """The same for one video with numpy's own interpolation, one coordinate at a time."""
    keys = frames % stride == 0
    flat = poses.reshape(len(poses), -1)
    columns = [np.interp(frames, frames[keys], flat[keys, i]) for i in range(flat.shape[1])]
    return np.stack(columns, -1).reshape(poses.shape)


class TestInterpolateKeyframes:
    @settings(max_examples=60, deadline=None)
    @given(
        lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
        step=st.sampled_from([1, 1, 2, 4]),
        stride=st.sampled_from([1, 2, 5, 7]),
    )
    def test_equals_numpy_video_by_video(self, lengths, step, stride):
        videos = [np.arange(0, length * step, step) for length in lengths]
        poses = [poses_of(len(frames), seed=i) for i, frames in enumerate(videos)]
        expected = [interpolated_with_numpy(p, f, stride) for p, f in zip(poses, videos, strict=True)]
        got = interpolate_keyframes(np.concatenate(poses), np.concatenate(videos), stride)
        np.testing.assert_allclose(got, np.concatenate(expected), atol=1e-12)

    def test_by_hand(self):
        frames = np.array([0, 1, 2, 3, 4, 5, 6, 0, 1, 2])
        poses = np.full((10, 1, 3), np.nan)
        poses[[0, 5, 7]] = [[[0.0]], [[10.0]], [[100.0]]]
        got = interpolate_keyframes(poses, frames, 5)
        assert got[:, 0, 0].tolist() == [0, 2, 4, 6, 8, 10, 10, 100, 100, 100]

    def test_keyframes_keep_every_bit(self):
        poses = poses_of(20, np.float32)
        got = interpolate_keyframes(poses, np.arange(20), 5)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got[::5], poses[::5])
        np.testing.assert_array_equal(got[16:], np.repeat(poses[15:16], 4, 0))

    def test_before_the_first_keyframe_that_one_is_used(self):
        frames = np.array([3, 4, 5, 6, 10, 2, 5, 6])
        poses = poses_of(8)
        got = interpolate_keyframes(poses, frames, 5)
        np.testing.assert_array_equal(got[:3], np.repeat(poses[2:3], 3, 0))
        np.testing.assert_allclose(got[3], 0.8 * poses[2] + 0.2 * poses[4])
        np.testing.assert_array_equal(got[5:], np.repeat(poses[6:7], 3, 0))

    def test_one_frame_videos(self):
        poses = poses_of(4)
        np.testing.assert_array_equal(interpolate_keyframes(poses, np.zeros(4, int), 5), poses)

    def test_input_is_left_alone(self):
        for stride in (1, 3):
            poses = poses_of(9)
            before = poses.copy()
            interpolate_keyframes(poses, np.arange(9), stride)[:] = 0
            np.testing.assert_array_equal(poses, before)

    def test_no_frames(self):
        assert interpolate_keyframes(poses_of(0), np.zeros(0, int), 5).shape == (0, 2, 3)

    def test_video_without_keyframe(self):
        with pytest.raises(Pose3DError, match="row 2, frame 1, has no frame divisible by 5"):
            interpolate_keyframes(poses_of(4), np.array([0, 5, 1, 2]), 5)

    def test_bad_arguments(self):
        with pytest.raises(Pose3DError, match=r"shape \(3,\), expected \(4,\)"):
            interpolate_keyframes(poses_of(4), np.arange(3), 5)
        with pytest.raises(Pose3DError, match="stride is 0"):
            interpolate_keyframes(poses_of(4), np.arange(4), 0)


class TestEvaluatePoses:
    names = ("Walking", "Sitting", "Waiting")

    def test_by_hand(self):
        # The second joint is 30 mm off along its own direction in the two walking frames, 60 mm in the third.
        target = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]] * 3)
        pred = target + 0.5
        pred[:2, 1, 0] += 0.030
        pred[2, 1, 0] += 0.060
        result = evaluate_poses(pred, target, np.array([0, 0, 2]), self.names, root=0)
        assert result["per_action"]["Walking"]["mpjpe"] == pytest.approx(10)
        assert result["per_action"]["Waiting"]["mpjpe"] == pytest.approx(20)
        assert result["frame_wise"]["mpjpe"] == pytest.approx(40 / 3)
        assert result["action_wise_average"]["mpjpe"] == pytest.approx(15)
        scale = (1.030 + 1) / (1.030**2 + 1)
        expected = 1000 * (abs(1.030 * scale - 1) + abs(scale - 1)) / 3
        assert result["per_action"]["Walking"]["nmpjpe"] == pytest.approx(expected)
        assert 0 < result["per_action"]["Walking"]["pampjpe"] < expected

    def test_counts_and_absent_actions(self):
        target = poses_of(5)
        result = evaluate_poses(target, target, np.array([2, 0, 0, 2, 2]), self.names, root=0)
        assert result["frames"] == {"total": 5, "per_action": {"Walking": 2, "Sitting": 0, "Waiting": 3}}
        assert result["absent_actions"] == ["Sitting"]
        assert list(result["per_action"]) == ["Walking", "Waiting"]
        assert result["action_wise_average"]["mpjpe"] == 0
        assert all(type(value) is float for value in result["frame_wise"].values())

    def test_alignment_and_root(self):
        target = np.random.default_rng(0).normal(size=(6, 17, 3))
        turned = 1.3 * target[:, :, [1, 2, 0]] + 2.0
        result = evaluate_poses(turned, target, np.zeros(6, int), ["A"], root=6)["frame_wise"]
        assert result["pampjpe"] < 1e-9
        assert result["nmpjpe"] > 100
        other_root = evaluate_poses(turned, target, np.zeros(6, int), ["A"], root=0)["frame_wise"]
        assert other_root["mpjpe"] != pytest.approx(result["mpjpe"])

    def test_not_finite_prediction_shows(self):
        target = poses_of(3)
        pred = target.copy()
        pred[0, 1] = np.nan
        result = evaluate_poses(pred, target, np.array([0, 1, 1]), self.names, root=0)
        assert np.isnan(result["frame_wise"]["mpjpe"])
        assert np.isnan(result["per_action"]["Walking"]["pampjpe"])
        assert result["per_action"]["Sitting"]["pampjpe"] < 1e-9

    @pytest.mark.parametrize(
        ("count", "actions", "message"),
        [
            (0, [], "no pose"),
            (2, [0], r"shape \(1,\), expected \(2,\)"),
            (2, [0, 3], "from 0 to 3, there are 3 names"),
            (2, [-1, 0], "from -1"),
        ],
    )
    def test_bad_arguments(self, count, actions, message):
        target = poses_of(count)
        with pytest.raises(Pose3DError, match=message):
            evaluate_poses(target, target, np.array(actions, int), self.names, root=0)

    def test_shapes(self):
        with pytest.raises(Pose3DError, match=r"\(3, 2, 3\).*\(4, 2, 3\)"):
            evaluate_poses(poses_of(4), poses_of(3), np.zeros(4, int), self.names, root=0)
        with pytest.raises(Pose3DError, match="root joint is 6"):
            evaluate_poses(poses_of(4), poses_of(4), np.zeros(4, int), self.names, root=6)
