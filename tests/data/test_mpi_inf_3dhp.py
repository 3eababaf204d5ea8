"""P-STMO's files of MPI-INF-3DHP."""

import numpy as np
import pytest

from tf_pose3d.data.mpi_inf_3dhp import PSTMO_JOINTS, read_3dhp_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton


def write_files(folder, frames=9, change=None):
    """Both files, with as little as the reader needs; returns what they hold."""
    random = np.random.default_rng(0)

    def poses():
        pose = random.normal((0, 0, 3000), 300, (frames, 17, 3))
        return {"data_2d": random.uniform(500, 1500, (frames, 17, 2)), "data_3d": pose}

    train = {f"S{s} Seq1": [{camera: poses() for camera in ("0", "4")}, 25] for s in (1, 2)}
    test = {f"TS{n}": {**poses(), "valid": np.arange(frames) % 3 > 0} for n in (1, 3, 5)}
    if change is not None:
        change(train, test)
    np.savez(folder / "data_train_3dhp.npz", data=np.array(train, dtype=object))
    np.savez(folder / "data_test_3dhp.npz", data=np.array(test, dtype=object))
    return train, test


def test_joints_units_and_sizes(tmp_path):
    train, test = write_files(tmp_path)
    sequences = read_3dhp_sequences(tmp_path, "train")
    assert [(one.subject, one.action, one.camera.id) for one in sequences[:2]] == [
        ("S1", "Seq1", "0"),
        ("S1", "Seq1", "4"),
    ]
    order = [PSTMO_JOINTS.index(joint) for joint in get_skeleton("h36m_17").joints]
    held = train["S1 Seq1"][0]["0"]
    np.testing.assert_allclose(sequences[0].pose_3d, held["data_3d"][:, order] / 1000, rtol=1e-5)
    np.testing.assert_allclose(sequences[0].pose_2d, held["data_2d"][:, order], rtol=1e-5)
    assert len(read_3dhp_sequences(tmp_path, "S2")) == 2
    tested = read_3dhp_sequences(tmp_path, "test")
    assert [(one.camera.width, one.camera.height) for one in tested] == [(2048, 2048)] * 2 + [(1920, 1080)]
    assert [one.action for one in tested] == ["Green screen", "No green screen", "Outdoor"]
    np.testing.assert_array_equal(tested[0].per_frame["valid"], test["TS1"]["valid"])
    assert read_3dhp_sequences(tmp_path, "TS5", "h36m_16")[0].pose_3d.shape == (9, 16, 3)


@pytest.mark.parametrize(
    ("change", "subset", "words"),
    [
        (lambda train, test: test["TS3"].pop("valid"), "test", "TS3 has no valid, the mask of the frames"),
        (lambda train, test: test["TS1"].update(valid=np.ones(4)), "test", "valid has 4 frames, data_3d 9"),
        (lambda train, test: test.update(X=test["TS1"]), "test", "unknown sequence 'X'"),
        (lambda train, test: train["S1 Seq1"][0]["4"].pop("data_3d"), "train", "camera 4 has no data_3d"),
        (lambda train, test: None, "S9", "holds no sequence of 'S9'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, change, subset, words):
    write_files(tmp_path, change=change)
    with pytest.raises(Pose3DError, match=words):
        read_3dhp_sequences(tmp_path, subset)
    with pytest.raises(Pose3DError, match="--path_3dhp names the folder"):
        read_3dhp_sequences(tmp_path / "none", "test")
