from __future__ import annotations

import os
import pickle
import shutil

import numpy as np
import pytest

from tf_pose3d.data.column_cache import cache_path
from tf_pose3d.data.human36m import CAMERAS
from tf_pose3d.data.lcn_pickles import ITEM_KEYS, read_items, read_lcn_sequences
from tf_pose3d.errors import Pose3DError


def make_items(count=6, subject=1, seed=0):
    """Items as gendb makes them, in two recordings."""
    rng = np.random.default_rng(seed)
    items = []
    for number in range(count):
        camera = CAMERAS["S1"][number * 2 // count]
        (fx, fy), (cx, cy) = camera.focal_length, camera.center
        pose = rng.uniform(-600, 600, (17, 3)) + np.array([0, 0, 5000])
        corners = (pose[0, :2] + [[-1000], [1000]]) / pose[0, 2] * [fx, fy] + [cx, cy]
        box = corners.reshape(4)
        image = pose.copy()
        image[:, :2] = pose[:, :2] / pose[:, 2:] * [fx, fy] + [cx, cy]
        image[:, 2] = (pose[:, 2] - pose[0, 2]) * (box[2] - box[0] + 1) / 2000
        items.append(
            {
                "joint_3d_image": image,
                "joint_3d_camera": pose,
                "box": box,
                "root_depth": pose[0, 2],
                "camera_param": {
                    "name": camera.id,
                    **{"fx": fx, "fy": fy, "cx": cx, "cy": cy},
                    "k": camera.radial.reshape(3, 1),
                    "p": camera.tangential.reshape(2, 1),
                },
                "subject": subject,
                "action": 2,
                "subaction": 1,
                "imageid": number,
                "videoid": 0,
                "cameraid": 0,
                "image_path": "x.jpg",
                "center": (1.0, 2.0),
                "scale": (1.0, 2.0),
            }
        )
    return items


def write(folder, split="train", items=None, detections=True, **parts):
    items = make_items(subject=1 if split == "train" else 9) if items is None else items
    (folder / f"h36m_{split}.pkl").write_bytes(pickle.dumps(items))
    if detections:
        rng = np.random.default_rng(1)
        part = {
            "joint3d_image": rng.uniform(0, 1000, (len(items), 17, 3)).astype(np.float32),
            "confidence": rng.uniform(0, 1, (len(items), 17, 1)).astype(np.float32),
            **parts,
        }
        (folder / "h36m_sh_dt_ft.pkl").write_bytes(pickle.dumps({split: part}))
    return items


def test_sequences_hold_the_items_in_their_order(tmp_path):
    items = write(tmp_path)
    sequences = read_lcn_sequences(tmp_path, "train")
    assert [sequence.num_frames for sequence in sequences] == [3, 3]
    assert sequences[0].label == "S1, Directions 1, camera 54138969"
    poses = np.concatenate([sequence.pose_3d for sequence in sequences])
    np.testing.assert_allclose(poses, [i["joint_3d_camera"] / 1000 for i in items], rtol=1e-6)
    pixels = np.concatenate([sequence.pose_2d for sequence in sequences])
    np.testing.assert_allclose(pixels, [i["joint_3d_image"][:, :2] for i in items], rtol=1e-6)
    depths = np.concatenate([sequence.per_frame["root_depth"] for sequence in sequences])
    np.testing.assert_allclose(depths, [i["root_depth"] / 1000 for i in items], rtol=1e-6)
    widths = np.concatenate([sequence.per_frame["box_width"] for sequence in sequences])
    np.testing.assert_allclose(widths, [i["box"][2] - i["box"][0] for i in items], rtol=1e-6)
    camera = sequences[1].camera
    np.testing.assert_allclose(camera.focal_length, CAMERAS["S1"][1].focal_length)
    np.testing.assert_allclose(camera.radial, CAMERAS["S1"][1].radial)


def test_detections_confidence_subjects_and_sixteen_joints(tmp_path):
    write(tmp_path, "test", items=make_items(subject=9) + make_items(subject=11, seed=1))
    exact = read_lcn_sequences(tmp_path, "test", confidence=True)
    assert {s.subject for s in exact} == {"S9", "S11"}
    assert (exact[0].pose_2d[..., 2] == 1).all()
    found = read_lcn_sequences(tmp_path, "S11", "dt_ft", confidence=True)
    assert [s.pose_2d.shape for s in found] == [(3, 17, 3)] * 2
    with open(tmp_path / "h36m_sh_dt_ft.pkl", "rb") as file:
        held = pickle.load(file)["test"]
    np.testing.assert_array_equal(found[1].pose_2d[..., :2], held["joint3d_image"][9:12, :, :2])
    np.testing.assert_array_equal(found[1].pose_2d[..., 2:], held["confidence"][9:12])
    smaller = read_lcn_sequences(tmp_path, "test", skeleton="h36m_16")[0]
    np.testing.assert_array_equal(smaller.pose_3d, np.delete(exact[0].pose_3d, 9, axis=1))
    other = read_lcn_sequences(tmp_path, "test", skeleton="uplift_17")[0]
    np.testing.assert_array_equal(other.pose_3d[:, 6], exact[0].pose_3d[:, 0])
    np.testing.assert_array_equal(other.pose_2d[:, 0], exact[0].pose_2d[:, 3, :2])


def test_the_second_run_reads_the_columns(tmp_path, monkeypatch):
    write(tmp_path)
    path, lines = tmp_path / "h36m_train.pkl", []
    first = read_items(path, lines.append)
    assert cache_path(path).is_file()
    assert "kept for the next run" in lines[0]
    monkeypatch.setattr("tf_pose3d.data.lcn_pickles.load_archive", None)  # the pickle itself is not opened
    second = read_items(path)
    np.testing.assert_array_equal(first.image_pose, second.image_pose)
    np.testing.assert_array_equal(first.cameras[1].intrinsics(), second.cameras[1].intrinsics())


@pytest.mark.parametrize("change", ["content", "time", "damage", "version"])
def test_columns_of_another_file_are_not_used(tmp_path, change, monkeypatch):
    path = tmp_path / "h36m_train.pkl"
    write(tmp_path)
    before = read_items(path)
    facts = path.stat()
    if change == "content":  # same size, same time: only the hash tells
        content = path.read_bytes()
        write(tmp_path, items=make_items(seed=5))
        assert len(content) == len(path.read_bytes())
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    elif change == "time":
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 10**9))
    elif change == "damage":
        cache = cache_path(path)
        cache.write_bytes(cache.read_bytes()[:-100])
    else:
        monkeypatch.setattr("tf_pose3d.data.lcn_pickles._VERSION", 0)
    lines = []
    after = read_items(path, lines.append)
    assert lines
    assert (after.image_pose == before.image_pose).all() == (change != "content")


def test_a_folder_that_cannot_be_written_to_works(tmp_path, monkeypatch):
    def refuse(path):
        raise Pose3DError(f"cannot write {path}: read-only")

    monkeypatch.setattr("tf_pose3d.data.column_cache.write_whole", refuse)
    write(tmp_path)
    lines = []
    assert len(read_items(tmp_path / "h36m_train.pkl", lines.append)) == 6
    assert "will be read anew next time" in lines[0]
    assert not cache_path(tmp_path / "h36m_train.pkl").exists()


@pytest.mark.parametrize("key", ITEM_KEYS)
def test_an_item_without_a_key_is_named(tmp_path, key):
    items = make_items()
    del items[4][key]
    write(tmp_path, items=items)
    with pytest.raises(Pose3DError, match=rf"h36m_train.pkl: item 4 has no {key}"):
        read_items(tmp_path / "h36m_train.pkl")


def _spoil(item, key, value):
    item[key] = value


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda i: i["camera_param"].update(name="cam7"), "item 4: camera 'cam7' has no known image size"),
        (lambda i: i["camera_param"].pop("fx"), "item 4: camera_param has no fx"),
        (lambda i: i["camera_param"].update(fx=0.0), "needs finite fx, fy > 0"),
        (lambda i: i["camera_param"].update(k="x"), "needs finite fx, fy > 0"),
        (lambda i: _spoil(i, "camera_param", 3), "item 4 has no camera_param"),
        (lambda i: _spoil(i, "box", np.array([5.0, 5, 5, 9])), "item 4 has a box of no width"),
        (lambda i: _spoil(i, "box", np.zeros(3)), r"item 4 has a box that is not numbers of shape \(4,\)"),
        (lambda i: _spoil(i, "root_depth", -1.0), "item 4 has its root behind the camera"),
        (lambda i: _spoil(i, "root_depth", "far"), "item 4 has a root_depth that is not a number"),
        (lambda i: _spoil(i, "action", 1), "item 4 has an action that is none of 2 to 16"),
        (lambda i: _spoil(i, "subject", 2), "item 4 has a subject that is none of"),
        (lambda i: _spoil(i, "subject", "S1"), "item 4 has a subject that is not a whole number"),
        (
            lambda i: i["joint_3d_camera"].__setitem__((3, 1), np.nan),
            "item 4 has a joint_3d_camera that is not",
        ),
        (lambda i: _spoil(i, "joint_3d_image", np.zeros((16, 3))), "item 4 has a joint_3d_image that is not"),
    ],
)
def test_a_spoiled_item_is_named(tmp_path, spoil, message):
    items = make_items()
    spoil(items[4])
    write(tmp_path, items=items)
    with pytest.raises(Pose3DError, match=message) as caught:
        read_items(tmp_path / "h36m_train.pkl")
    assert "\n" not in str(caught.value)
    assert not cache_path(tmp_path / "h36m_train.pkl").exists()


class _Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/should-not-exist",)


@pytest.mark.parametrize("content", [[_Evil()], {"items": _Evil()}])
def test_a_pickle_that_holds_code_is_refused(tmp_path, content):
    path = tmp_path / "h36m_train.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(Pose3DError, match="would run code"):
        read_items(path)
    shutil.copy(path, tmp_path / "h36m_sh_dt_ft.pkl")
    write(tmp_path, "test", detections=False)
    with pytest.raises(Pose3DError, match="would run code"):
        read_lcn_sequences(tmp_path, "test", "dt_ft")


@pytest.mark.parametrize("content", [[], {}, [1], "text", [[1, 2]]])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "h36m_train.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(Pose3DError, match="must hold a list of dicts"):
        read_items(tmp_path / "h36m_train.pkl")


def test_labels_that_are_no_projections_are_refused_for_training(tmp_path):
    items = make_items()
    items[2]["joint_3d_image"] = items[2]["joint_3d_image"] + 5
    write(tmp_path, items=items)
    with pytest.raises(Pose3DError, match="differs by 5 pixels from the projection"):
        read_lcn_sequences(tmp_path, "train")


@pytest.mark.parametrize(
    ("parts", "confidence", "message"),
    [
        ({"confidence": None}, True, "has no train/confidence .* --in-F 3 needs it"),
        ({"joint3d_image": np.zeros((5, 17, 3))}, False, "has 5 poses, h36m_train.pkl has 6 items"),
        ({"joint3d_image": np.zeros((6, 16, 3))}, False, r"has shape \(6, 16, 3\)"),
        ({"joint3d_image": None}, False, "has no train/joint3d_image"),
        ({"joint_2d": np.zeros((6, 17, 2))}, False, "this is MotionBERT's .* joint3d_image are true poses"),
        ({"joint3d_image": np.full((6, 17, 3), np.nan)}, False, "pose 0 holds numbers that are not finite"),
        ({"joint3d_image": np.full((6, 17, 3), 2e30)}, False, r"pose 0 holds numbers beyond 1e\+09"),
        ({"confidence": np.full((6, 17, 1), -2e30)}, True, r"pose 0 holds numbers beyond 1e\+09"),
    ],
)
def test_detections_that_do_not_fit_are_refused(tmp_path, parts, confidence, message):
    write(tmp_path, **parts)
    with pytest.raises(Pose3DError, match=message):
        read_lcn_sequences(tmp_path, "train", "dt_ft", confidence)


def test_missing_files_and_unknown_subsets_are_named(tmp_path):
    with pytest.raises(Pose3DError, match=r"h36m_train.pkl does not exist; --dataset_dir names"):
        read_lcn_sequences(tmp_path, "train")
    write(tmp_path, detections=False)
    with pytest.raises(Pose3DError, match=r"h36m_sh_dt_ft\.pkl does not exist; --mode dt_ft"):
        read_lcn_sequences(tmp_path, "train", "dt_ft")
    with pytest.raises(Pose3DError, match="expected train, test, or one of S1"):
        read_lcn_sequences(tmp_path, "tset")
    with pytest.raises(Pose3DError, match="holds no item of S5"):
        read_lcn_sequences(tmp_path, "S5")


def test_the_release_s_files_are_read(shared, tmp_path):
    folder = shutil.copytree(shared / "golden" / "lcn" / "dataset", tmp_path / "dataset")
    folder.chmod(0o755)
    for subset, count in (("train", 1200), ("test", 600)):
        sequences = read_lcn_sequences(folder, subset, "dt_ft", confidence=True)
        assert sum(sequence.num_frames for sequence in sequences) == count
