import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.output import check_pose_file, save_poses


@pytest.fixture(scope="module")
def sequence():
    return synthetic_sequences(["S9"], frames=5, actions=["Walking"], skeleton="h36m_17")[0]


def test_everything_about_the_recording(sequence, tmp_path):
    poses = sequence.pose_3d - sequence.pose_3d[:, :1]
    poses[:, 3] += np.float32(0.017)
    save_poses(tmp_path / "poses.npz", poses, sequence, root=0)
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as held:
        np.testing.assert_array_equal(held["pose_3d"], poses)
        np.testing.assert_array_equal(held["target"], sequence.pose_3d)
        np.testing.assert_allclose(held["error_mm"], 17 * np.sqrt(3) / 17, rtol=1e-3)
        assert (str(held["subject"]), str(held["action"]), str(held["camera"])) == (
            "S9",
            "Walking",
            "54138969",
        )
        assert tuple(held["joints"]) == sequence.skeleton.joints
        assert float(held["fps"]) == 50


def test_without_truth_there_is_no_error(sequence, tmp_path):
    save_poses(tmp_path / "poses.npz", sequence.pose_3d, dataclasses.replace(sequence, pose_3d=None), root=0)
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as held:
        assert not {"target", "error_mm"} & set(held)


def test_array_alone(sequence, tmp_path):
    save_poses(tmp_path / "poses.npy", sequence.pose_3d, sequence, root=0)
    np.testing.assert_array_equal(np.load(tmp_path / "poses.npy", allow_pickle=False), sequence.pose_3d)


def test_other_formats_are_refused():
    with pytest.raises(Pose3DError, match=r"poses\.json: expected a name that ends in \.npz or \.npy"):
        check_pose_file("poses.json")
