import csv
import dataclasses
import json
import sys

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
    with pytest.raises(Pose3DError, match=r"poses\.txt: expected a name that ends in \.npz, .* or \.c3d"):
        check_pose_file("poses.txt")


def missing_a_frame(sequence):
    poses = sequence.pose_3d - sequence.pose_3d[:, :1]
    poses[2] = np.nan
    return poses


def test_json(sequence, tmp_path):
    poses = missing_a_frame(sequence)
    save_poses(tmp_path / "poses.json", poses, sequence, root=0)
    held = json.loads((tmp_path / "poses.json").read_text())
    assert held["joints"] == list(sequence.skeleton.joints)
    assert (held["fps"], held["width"], held["root"]) == (50, 1000, 0)
    assert held["frames"][2]["pose_3d"] is None
    np.testing.assert_allclose(held["frames"][3]["pose_3d"], poses[3], atol=1e-5)
    np.testing.assert_allclose(held["frames"][2]["pose_2d"], sequence.pose_2d[2], atol=1e-3)


def test_csv(sequence, tmp_path):
    poses = missing_a_frame(sequence)
    save_poses(tmp_path / "poses.csv", poses, sequence, root=0)
    with open(tmp_path / "poses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == list("01234")
    assert float(rows[4]["seconds"]) == 0.08
    assert float(rows[1]["l_knee_y"]) == pytest.approx(
        poses[1, sequence.skeleton.index("l_knee"), 1], abs=1e-5
    )
    assert rows[2]["head_z"] == ""


def test_trc(sequence, tmp_path):
    poses = missing_a_frame(sequence)
    save_poses(tmp_path / "poses.trc", poses, sequence, root=0)
    lines = (tmp_path / "poses.trc").read_text().splitlines()
    names, values = lines[1].split("\t"), lines[2].split("\t")
    assert dict(zip(names, values, strict=True)) == {
        "DataRate": "50",
        "CameraRate": "50",
        "NumFrames": "5",
        "NumMarkers": "17",
        "Units": "mm",
        "OrigDataRate": "50",
        "OrigDataStartFrame": "1",
        "OrigNumFrames": "5",
    }
    assert [name for name in lines[3].split("\t")[2:] if name] == list(sequence.skeleton.joints)
    rows = [line.split("\t") for line in lines[6:]]
    assert [row[0] for row in rows] == list("12345")
    # Millimetres, y up and z towards the camera.
    np.testing.assert_allclose(
        np.array(rows[3][2:], float).reshape(17, 3), poses[3] * [1000, -1000, -1000], atol=1e-3
    )
    assert set(rows[2][2:]) == {""}


def test_c3d(sequence, tmp_path):
    ezc3d = pytest.importorskip("ezc3d")
    poses = missing_a_frame(sequence)
    save_poses(tmp_path / "poses.c3d", poses, sequence, root=0)
    held = ezc3d.c3d(str(tmp_path / "poses.c3d"))
    points = held["parameters"]["POINT"]
    assert points["LABELS"]["value"] == list(sequence.skeleton.joints)
    assert (points["UNITS"]["value"], points["RATE"]["value"].tolist()) == (["mm"], [50])
    # Millimetres, y up and z towards the camera; NaN where there is no pose.
    np.testing.assert_allclose(
        held["data"]["points"][:3].transpose(2, 1, 0), poses * [1000, -1000, -1000], atol=1e-3
    )


def test_c3d_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(Pose3DError, match=r'pip install "\.\[c3d\]"'):
        check_pose_file("poses.c3d")


@pytest.mark.parametrize("frames", [0, 65536])
def test_c3d_is_refused_before_the_work_where_it_cannot_hold_the_frames(frames):
    pytest.importorskip("ezc3d")
    with pytest.raises(Pose3DError, match=f"1 to 65535 frames, these are {frames}"):
        check_pose_file("poses.c3d", frames)


def test_bvh_holds_the_last_pose_where_there_is_none(sequence, tmp_path):
    save_poses(tmp_path / "poses.bvh", missing_a_frame(sequence), sequence, root=0)
    frames = (tmp_path / "poses.bvh").read_text().splitlines()[-5:]
    assert frames[2] == frames[1] != frames[3]
