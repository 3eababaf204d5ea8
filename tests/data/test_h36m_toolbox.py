"""LCN's pickles from small made-up folders of H36M-Toolbox."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest

from tf_pose3d.cli.gendb import main
from tf_pose3d.data.h36m_toolbox import read_toolbox_cameras
from tf_pose3d.data.human36m import CAMERAS
from tf_pose3d.data.lcn_pickles import read_items, read_lcn_sequences

savemat = pytest.importorskip("scipy.io").savemat

RECORDINGS = {
    "s_01_act_02_subact_01_ca_01": 3,
    "s_01_act_02_subact_01_ca_02": 2,
    "s_08_act_14_subact_02_ca_03": 2,
    "s_09_act_16_subact_01_ca_04": 4,
}


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "toolbox"
    poses = {}
    for name, count in RECORDINGS.items():
        poses[name] = rng.uniform(-700, 700, (count, 17, 3)) + np.array([0, 0, 5000])
        (folder / name).mkdir(parents=True)
        content = {"Y3d_mono": poses[name].reshape(count, 51).T, "num_images": [[count]]}
        savemat(folder / name / "matlab_meta.mat", content)
    (folder / "images").mkdir()
    with h5py.File(folder / "cameras.h5", "w") as file:
        for subject in (1, 8, 9):
            for number, camera in enumerate(CAMERAS[f"S{subject}"], start=1):
                group = file.create_group(f"subject{subject}/camera{number}")
                rotation = np.arange(9.0).reshape(3, 3)
                group["R"], group["T"] = rotation.T, np.full((3, 1), 100.0)
                group["f"], group["c"] = camera.focal_length[:, None], camera.center[:, None]
                group["k"], group["p"] = camera.radial[:, None], camera.tangential[:, None]
                group["Name"] = np.array([[ord(letter)] for letter in camera.id], np.uint16)
    return folder, poses


def test_the_pickles_hold_what_lcn_reads(root, tmp_path):
    folder, poses = root
    assert main([str(folder), "--out_dir", str(tmp_path / "dataset")]) == 0
    items = pickle.loads((tmp_path / "dataset" / "h36m_train.pkl").read_bytes())
    assert [item["videoid"] for item in items] == [0, 0, 0, 1, 1, 2, 2]
    assert items[3]["image_path"].endswith("ca_02/s_01_act_02_subact_01_ca_02_000001.jpg")
    np.testing.assert_array_equal(items[0]["camera_param"]["R"], np.arange(9.0).reshape(3, 3))
    for item, pose in zip(items, np.concatenate(list(poses.values())), strict=False):
        facts, box = item["camera_param"], item["box"]
        np.testing.assert_allclose(item["joint_3d_camera"], pose)
        x = pose[:, 0] / pose[:, 2] * facts["fx"] + facts["cx"]
        np.testing.assert_allclose(item["joint_3d_image"][:, 0], x)
        left = (pose[0, 0] - 1000) / pose[0, 2] * facts["fx"] + facts["cx"]
        bottom = (pose[0, 1] + 1000) / pose[0, 2] * facts["fy"] + facts["cy"]
        np.testing.assert_allclose([box[0], box[3]], [left, bottom])
        depth = (pose[:, 2] - pose[0, 2]) * (box[2] - box[0] + 1) / 2000
        np.testing.assert_allclose(item["joint_3d_image"][:, 2], depth, atol=1e-9)
        assert item["root_depth"] == pose[0, 2]
    read = read_items(tmp_path / "dataset" / "h36m_train.pkl")
    assert read.label_deviation < 1e-6
    (test,) = read_lcn_sequences(tmp_path / "dataset", "test")
    assert test.label == "S9, WalkTogether 1, camera 60457274"
    np.testing.assert_allclose(test.pose_3d, poses["s_09_act_16_subact_01_ca_04"] / 1000, rtol=1e-6)


def test_items_equal_the_release_s(shared, tmp_path):
    """The images and boxes of the release's own items follow from their camera poses."""
    for split in ("train", "test"):
        path = tmp_path / f"h36m_{split}.pkl"
        path.write_bytes((shared / "golden" / "lcn" / "dataset" / path.name).read_bytes())
        assert read_items(path).label_deviation < 1e-6


def _damage(folder, what):
    meta = folder / "s_01_act_02_subact_01_ca_01" / "matlab_meta.mat"
    if what == "missing":
        meta.unlink()
    elif what == "text":
        meta.write_text("nonsense")
    elif what == "keys":
        savemat(meta, {"num_images": [[3]]})
    elif what == "count":
        savemat(meta, {"Y3d_mono": np.zeros((51, 2)), "num_images": [[3]]})
    elif what == "behind":
        savemat(meta, {"Y3d_mono": np.zeros((51, 2)), "num_images": [[2]]})
    elif what == "no cameras":
        (folder / "cameras.h5").unlink()
    elif what == "camera":
        with h5py.File(folder / "cameras.h5", "a") as file:
            del file["subject1/camera1"]
    elif what == "camera key":
        with h5py.File(folder / "cameras.h5", "a") as file:
            del file["subject1/camera1/f"]
    else:
        for path in folder.glob("s_*"):
            path.rename(folder / path.name.replace("act", "action"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("missing", "matlab_meta.mat does not exist"),
        ("text", "is no MATLAB file or is damaged"),
        ("keys", "has no Y3d_mono"),
        ("count", "has 102 numbers, expected num_images (3) x 17 x 3"),
        ("behind", "a root lies behind the camera"),
        ("no cameras", "expected cameras.h5 with subjectN/cameraM"),
        ("camera", "has no camera 1 of subject 1"),
        ("camera key", "has no"),
        ("folders", "holds no folder s_XX_act_XX_subact_XX_ca_XX"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root, tmp_path, capsys, what, message):
    folder, _ = root
    _damage(folder, what)
    assert main([str(folder), "--out_dir", str(tmp_path / "dataset")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list((tmp_path / "dataset").glob("h36m_train*"))


def test_cameras_are_numbered_from_one(root):
    cameras = read_toolbox_cameras(root[0] / "cameras.h5")
    assert cameras[9, 4]["name"] == "60457274"
    assert cameras[1, 1]["fx"] == CAMERAS["S1"][0].focal_length[0]
