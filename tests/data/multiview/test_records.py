"""Human3.6M, MPI-INF-3DHP and MPII as the releases lay them out, and what is said about broken ones."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from tf_pose3d.data.datasets import read_records
from tf_pose3d.data.multiview.grouping import make_groups
from tf_pose3d.data.multiview.human36m import read_human36m_views
from tf_pose3d.data.multiview.mpi_inf_3dhp import JOINTS_OF_28, read_mpi_inf_3dhp_views
from tf_pose3d.data.multiview.mpii import MPII_JOINTS, read_mpii_images
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton


def rewrite(root, items, name="h36m_train.pkl", folder="human36"):
    (root / folder / "annot" / name).write_bytes(pickle.dumps(items, protocol=4))


def complaint(root, items):
    rewrite(root, items)
    with pytest.raises(Pose3DError) as error:
        read_human36m_views(root, "train")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_human36m_is_read_back(toolbox):
    root, _, expected = toolbox
    records = read_human36m_views(root, "train")
    assert records.takes == ("S1, Sitting 1", "S1, Walking 1")
    np.testing.assert_allclose(records.pose_3d, expected.pose_3d, atol=0.01)
    np.testing.assert_array_equal(records.view, expected.view)
    np.testing.assert_array_equal(records.frame, expected.frame)
    np.testing.assert_allclose(records.cameras.centre[records.camera], expected.cameras.centre[expected.view])
    np.testing.assert_allclose(records.box, expected.box, rtol=1e-5)
    assert records.visible.all()
    assert records.images.read(5).shape == (40, 48, 3)
    groups = make_groups(records, [0, 1, 2, 3], [0, 1, 2, 3])
    assert len(groups) == 4


def test_root_may_be_the_folder_itself(toolbox):
    root = toolbox[0]
    assert len(read_records("multiview_h36m", "train", {"root": root / "human36"})) == 64


def test_images_in_a_zip_file(toolbox):
    root, items, _ = toolbox
    images = root / "human36" / "images"
    with zipfile.ZipFile(root / "human36" / "images.zip", "w") as archive:
        for item in items:
            archive.write(images / item["image"], f"images/{item['image']}")
    shutil.rmtree(images)
    records = read_human36m_views(root, "train", "zip")
    assert records.images.read(3).shape == (40, 48, 3)
    assert len(records) == 64


def test_a_camera_whose_images_are_not_there_makes_groups_miss_a_view(toolbox):
    root, items, _ = toolbox
    shutil.rmtree((root / "human36" / "images" / items[0]["image"]).parent)
    lines = []
    records = read_human36m_views(root, "train", log=lines.append)
    assert len(records) == 56
    assert "8 of 64 annotated images are not there" in lines[0]
    groups = make_groups(records, [0, 1, 2, 3], [0, 1, 2, 3])
    assert len(groups) == 2
    assert groups.skipped == 2
    with pytest.raises(Pose3DError, match="no image of camera 0 at frame 0"):
        make_groups(records, [0, 1, 2, 3], [0, 1, 2, 3], missing="error")


@pytest.mark.parametrize("key", ["fx", "cy", "R"])
def test_a_camera_without_calibration_is_named(toolbox, key):
    root, items, _ = toolbox
    items = copy.deepcopy(items)
    del items[20]["camera"][key]
    text = complaint(root, items)
    assert f"camera {items[20]['camera_id']} of S1 has no {key}" in text
    assert "h36m_train.pkl" in text


def test_other_broken_items_are_named(toolbox):
    root, items, _ = toolbox
    for change, expected in (
        ({"camera": None}, "is no dict with R, T, fx"),
        ({"joints_2d": np.zeros((16, 2))}, r"item 7 has a joints_2d that is not numbers of shape (17, 2)"),
        ({"joints_3d": np.full((17, 3), np.nan)}, "item 7 has a joints_3d that is not finite"),
        ({"action": 1}, "item 7 has an action that is none of 2 to 16"),
        ({"scale": (0.0, 0.0)}, "the person's box has no finite, positive size"),
    ):
        assert expected in complaint(root, [*items[:7], {**items[7], **change}, *items[8:]])
    without = {key: value for key, value in items[7].items() if key != "center"}
    assert "item 7 has no center" in complaint(root, [*items[:7], without, *items[8:]])
    camera = {**items[7]["camera"], "fx": -1.0}
    assert "positive focal lengths" in complaint(root, [*items[:7], {**items[7], "camera": camera}])
    camera = {**items[7]["camera"], "R": np.ones((3, 3))}
    assert "R is no rotation matrix" in complaint(root, [*items[:7], {**items[7], "camera": camera}])


def test_a_pickle_that_would_run_code_is_refused(toolbox):
    root = toolbox[0]
    (root / "human36" / "annot" / "h36m_train.pkl").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(Pose3DError, match="system"):
        read_human36m_views(root, "train")


def test_missing_files_are_named(toolbox, tmp_path):
    root = toolbox[0]
    with pytest.raises(Pose3DError, match=r"h36m_validation\.pkl"):
        read_human36m_views(root, "validation")
    with pytest.raises(Pose3DError, match="expected train or validation"):
        read_human36m_views(root, "S1")
    with pytest.raises(Pose3DError, match=r"holds a folder annot .*prepare_multiview\.py h36m"):
        read_human36m_views(tmp_path / "elsewhere", "train")
    shutil.rmtree(root / "human36" / "images")
    with pytest.raises(Pose3DError, match="holds none of the images that the annotations name"):
        read_human36m_views(root, "train")


def test_3dhp_has_other_camera_numbers_joints_and_translations(toolbox):
    root, items, _ = toolbox
    rng = np.random.default_rng(0)
    numbers = (0, 2, 7, 8)
    joints = rng.normal([0, 0, 4000], 300, (len(items), 28, 3))
    other = []
    for item, joint in zip(items, joints, strict=True):
        camera = {**item["camera"], "T": -item["camera"]["R"] @ item["camera"]["T"]}
        other.append(
            {
                "image": str(root / "human36" / "images" / item["image"]),
                "joints_2d": rng.normal(100, 20, (28, 2)),
                "joints_3d_camera": joint,
                "joints_vis": np.ones((28, 3)),
                "image_id": item["image_id"],
                "action": 1,
                "seq": 1 if item["action"] == 14 else 2,
                "camera_id": numbers[item["camera_id"]],
                "camera": camera,
                "center": item["center"],
                "scale": item["scale"],
            }
        )
    path = root / "mpi-inf-3dhp" / "annot" / "3dhp_train.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(other, protocol=4))
    records = read_mpi_inf_3dhp_views(root, "train")
    assert records.joints == get_skeleton("mpi_inf_3dhp_17").joints
    assert records.takes == ("S1, Seq2", "S1, Seq1")
    centre = np.array([item["camera"]["T"][:, 0] for item in items])
    np.testing.assert_allclose(records.cameras.centre[records.camera], centre, atol=0.01)
    rotation = np.array([item["camera"]["R"] for item in items])
    expected = np.einsum("nji,nkj->nki", rotation, joints[:, JOINTS_OF_28]) + centre[:, None]
    np.testing.assert_allclose(records.pose_3d, expected, atol=0.01)
    groups = make_groups(records, numbers, [0, 1, 2, 3])
    assert len(groups) == 4
    # Pelvis, head top and neck are joints 4, 7 and 5 of the 28.
    np.testing.assert_array_equal(JOINTS_OF_28[:3], [4, 7, 5])


def test_mpii_gives_boxes_and_joints_from_zero(tmp_path):
    people = [
        {
            "image": "a.jpg",
            "center": [100.0, 80.0],
            "scale": 1.0,
            "joints": (np.arange(32).reshape(16, 2) + 1).tolist(),
            "joints_vis": [1] * 15 + [0],
        }
    ]
    (tmp_path / "mpii" / "annot").mkdir(parents=True)
    (tmp_path / "mpii" / "images").mkdir()
    (tmp_path / "mpii" / "annot" / "train.json").write_text(json.dumps(people))
    records = read_mpii_images(tmp_path, "train")
    np.testing.assert_allclose(records.centre, [[99, 94]])
    np.testing.assert_allclose(records.box, [[250, 250]])
    np.testing.assert_array_equal(records.keypoints_2d[0], np.arange(32).reshape(16, 2))
    assert records.visible.sum() == 15
    union = records.with_joints(get_skeleton("union_20").joints)
    assert union.visible.sum() == 15
    assert set(MPII_JOINTS) <= set(get_skeleton("union_20").joints)
    (tmp_path / "mpii" / "annot" / "train.json").write_text("[{")
    with pytest.raises(Pose3DError, match=r"train\.json is cut off at line 1"):
        read_mpii_images(tmp_path, "train")
