import dataclasses

import numpy as np

from tf_pose3d.inference.motion import Motion
from tf_pose3d.inference.writers import write_motion


def test_everything_about_the_recording(sequence, tmp_path):
    poses = sequence.pose_3d - sequence.pose_3d[:, :1]
    poses[:, 3] += np.float32(0.017)
    write_motion(tmp_path / "poses.npz", Motion.from_sequence(sequence, poses, root=0))
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as held:
        np.testing.assert_array_equal(held["pose_3d"], poses)
        np.testing.assert_array_equal(held["pose_2d"], sequence.pose_2d)
        np.testing.assert_array_equal(held["target"], sequence.pose_3d)
        np.testing.assert_allclose(held["error_mm"], 17 * np.sqrt(3) / 17, rtol=1e-3)
        assert (str(held["subject"]), str(held["action"]), str(held["camera"])) == (
            "S9",
            "Walking",
            "54138969",
        )
        assert tuple(held["joints"]) == sequence.skeleton.joints
        assert float(held["fps"]) == 50


def test_without_truth_there_is_no_error(motion, tmp_path):
    write_motion(tmp_path / "poses.npz", motion)
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as held:
        assert not {"target", "error_mm"} & set(held)
        assert held["present"].tolist() == [True, True, False, True, True]


def test_without_2d_poses(motion, tmp_path):
    write_motion(tmp_path / "poses.npz", dataclasses.replace(motion, keypoints=None))
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as held:
        assert "pose_2d" not in held
        assert {name: held[name].dtype.kind for name in held}["pose_3d"] == "f"


def test_array_alone(motion, tmp_path):
    write_motion(tmp_path / "poses.npy", motion)
    np.testing.assert_array_equal(np.load(tmp_path / "poses.npy", allow_pickle=False), motion.poses)
