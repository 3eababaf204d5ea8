"""MotionBERT's pickle: read column by column, and what is refused."""

import pickle

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.datasets import get_dataset, read_sequences
from tf_pose3d.data.image_pickles import read_image_sequences
from tf_pose3d.data.sources import find_dataset
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.loading import as_config

CAMERAS = ("54138969", "55011271")


def make_parts(videos=3, frames=8, test_videos=2):
    """The two parts of a pickle, as MotionBERT's authors wrote it."""
    random = np.random.default_rng(0)

    def part(subject, count):
        rows = count * frames
        source = [
            f"s_{subject:02d}_act_{2 + i // 2:02d}_subact_01_ca_{1 + i % 2:02d}"
            for i in range(count)
            for _ in range(frames)
        ]
        image = random.uniform(300, 700, (rows, 17, 3)).astype(np.float32)
        image[..., 2] -= 500
        return {
            "joint_2d": image[..., :2] + random.normal(0, 3, (rows, 17, 2)).astype(np.float32),
            "confidence": random.uniform(0.2, 1, (rows, 17, 1)).astype(np.float32),
            "joint3d_image": image,
            "camera_name": np.array([CAMERAS[i % 2] for i in range(count) for _ in range(frames)]),
            "source": source,
        }

    test = part(9, test_videos)
    test["2.5d_factor"] = random.uniform(3, 5, len(test["source"])).astype(np.float32)
    test["joints_2.5d_image"] = test["joint3d_image"] * test["2.5d_factor"][:, None, None]
    test["action"] = ["Directions"] * len(test["source"])
    return {"train": part(1, videos), "test": test}


@pytest.fixture
def write(tmp_path):
    def write(parts, name="h36m_sh_conf_cam_source_final.pkl"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(parts, protocol=4))
        return path

    return write


def test_videos_have_what_the_file_holds(write):
    parts = make_parts()
    path = write(parts)
    for _ in range(2):  # from the pickle, then from the columns beside it
        sequences = read_image_sequences(path, "train")
        assert [sequence.num_frames for sequence in sequences] == [8, 8, 8]
        first = sequences[0]
        assert (first.subject, first.action, first.name) == (
            "S1",
            "Directions",
            "s_01_act_02_subact_01_ca_01",
        )
        assert first.pose_3d is None
        np.testing.assert_array_equal(first.pose_2d[..., :2], parts["train"]["joint_2d"][:8])
        np.testing.assert_array_equal(first.pose_2d[..., 2], parts["train"]["confidence"][:8, :, 0])
        image = parts["train"]["joint3d_image"][:8]
        expected = image / 1000 * 2 - [1, 1.002, 0]
        np.testing.assert_allclose(first.per_frame["pose_image"], expected, atol=1e-6)
    test = read_image_sequences(path, "S9")
    np.testing.assert_allclose(test[1].pose_3d, parts["test"]["joints_2.5d_image"][8:] / 1000, rtol=1e-6)
    np.testing.assert_allclose(
        test[1].per_frame["image_scale"], parts["test"]["2.5d_factor"][8:] / 2, rtol=1e-6
    )
    assert path.with_suffix(".columns.npz").is_file()


def test_confidence_may_be_missing_or_unwanted(write):
    parts = make_parts()
    del parts["train"]["confidence"]
    path, lines = write(parts), []
    (sequence, *_) = read_image_sequences(path, "train", log=lines.append)
    assert (sequence.pose_2d[..., 2] == 1).all()
    assert lines[-1] == f"{path}: train has no confidence, taken as 1"
    assert (read_image_sequences(path, "test", confidence=False)[0].pose_2d[..., 2] == 1).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p["test"].pop("2.5d_factor"), r"test has no 2\.5d_factor, without which errors"),
        (lambda p: p["train"]["camera_name"].__setitem__(5, "123"), r"train: row 5 is of camera '123'"),
        (
            lambda p: p["test"]["joint_2d"].__setitem__(3, np.nan),
            "test: row 3 of joint_2d holds numbers that",
        ),
        (lambda p: p["test"]["2.5d_factor"].__setitem__(2, 0), r"row 2 has the 2\.5d_factor 0, expected"),
        (lambda p: p.pop("test"), "has no part test"),
        (lambda p: p["train"].pop("source"), "source has 0 rows, joint_2d has 24"),
        (
            lambda p: p["train"].update(joint_2d=np.zeros((4, 16, 2))),
            r"shape \(4, 16, 2\), expected \(frames, 17",
        ),
        (lambda p: p["train"].update(confidence=np.ones((3, 17))), r"confidence is of shape \(3, 17\)"),
    ],
)
def test_what_is_wrong_is_named(write, change, words):
    parts = make_parts()
    change(parts)
    with pytest.raises(Pose3DError, match=words):
        read_image_sequences(write(parts), "train")


def test_lcns_files_are_told_apart(write):
    detections = {
        "train": {"joint3d_image": np.zeros((4, 17, 3)), "confidence": np.ones((4, 17, 1))},
        "test": {},
    }
    with pytest.raises(Pose3DError, match=r"this is LCN's file of detections \(h36m_sh_dt_ft.pkl\)"):
        read_image_sequences(write(detections, "h36m_sh_dt_ft.pkl"), "train")
    with pytest.raises(Pose3DError, match="holds a list, as LCN"):
        read_image_sequences(write([{}], "h36m_train.pkl"), "train")
    with pytest.raises(Pose3DError, match="does not exist; --dataset takes"):
        read_image_sequences("none.pkl", "train")
    with pytest.raises(Pose3DError, match="holds no video of 'S5'"):
        read_image_sequences(write(make_parts()), "S5")


def test_only_families_that_read_image_poses_take_it(write):
    path = str(write(make_parts()))
    record, place = find_dataset(path, WindowSpec(image_poses=True))
    assert (record.name, place, record.place_option) == ("h36m_sh", path, "path_pickle")
    with pytest.raises(Pose3DError, match=r"--dataset is .*pkl., expected"):
        find_dataset(path, WindowSpec())
    with pytest.raises(Pose3DError, match="joints of h36m_17, the model those of h36m_16"):
        read_sequences(get_dataset("h36m_sh"), "train", {"path_pickle": path}, "h36m_16")


def test_training_clips_are_mirrored_at_random(write):
    config = as_config("motionbert").replace(
        FRAMES=4, CLIP_STRIDE=2, CHANNELS=8, LAYERS=1, NUM_HEADS=2, REPRESENTATION=8
    )
    model = tf_pose3d.build_model(config)
    windows = tf_pose3d.examples(model, str(write(make_parts())))
    assert len(windows) == 9
    store = windows.store
    seen = set()
    for step in range(6):
        batch = windows.batch(np.arange(9), step)
        for clip in range(9):
            (row,) = np.flatnonzero(
                (store.arrays["pose_image"] == batch["pose_image"][clip, 0].numpy()).all((1, 2))
            )
            seen.add(bool(row >= store.num_frames))
            mirrored = row >= store.num_frames
            original = store.arrays["pose_image"][row - store.num_frames if mirrored else row]
            sign = -1 if mirrored else 1
            order = list(store.skeleton.flip_order) if mirrored else slice(None)
            np.testing.assert_allclose(batch["pose_image"][clip, 0, :, 0], sign * original[order, 0])
        again = windows.batch(np.arange(9), step)
        np.testing.assert_array_equal(batch["keypoints_2d"], again["keypoints_2d"])
    assert seen == {False, True}
