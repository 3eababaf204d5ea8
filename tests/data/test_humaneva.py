import numpy as np
import pytest

from tf_pose3d.camera import Camera, world_to_camera
from tf_pose3d.data.datasets import dataset_of_file, read_sequences
from tf_pose3d.data.humaneva import (
    ACTIONS,
    CAMERAS,
    HUMANEVA_15,
    SPLITS,
    SUBJECTS,
    read_humaneva,
    select_recordings,
    split_subjects,
)
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.data.windows import open_windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import convert_joints

# Numbers of chunks have gaps where motion capture failed.
NAMES = {"Walking 1 chunk0": 7, "Walking 1 chunk2": 4, "Jog 1 chunk0": 5}


@pytest.fixture
def content():
    """(3D, 2D) recordings of a tiny HumanEva-I; tests break them."""
    random = np.random.default_rng(0)
    poses = {s: {n: random.normal(size=(f, 15, 3)).astype("f4") for n, f in NAMES.items()} for s in SUBJECTS}
    pixels = {
        s: {n: [random.uniform(0, 480, (f, 15, 2)).astype("f4") for _ in range(3)] for n, f in NAMES.items()}
        for s in SUBJECTS
    }
    return poses, pixels


@pytest.fixture
def write(tmp_path, content):
    """Writes the files, returns their paths."""

    def call(metadata=None, dataset="humaneva15"):
        paths = tmp_path / f"data_3d_{dataset}.npz", tmp_path / f"data_2d_{dataset}_gt.npz"
        np.savez(paths[0], positions_3d=np.array(content[0], object))
        extra = {} if metadata is None else {"metadata": np.array(metadata, object)}
        np.savez(paths[1], positions_2d=np.array(content[1], object), **extra)
        return paths

    return call


def test_a_sequence_per_subject_chunk_and_camera(write, content):
    poses, pixels = content
    sequences = read_humaneva(*write({"layout_name": "humaneva15"}), ["Train/S1", "Validate/S2"])
    assert len(sequences) == 2 * 3 * 3
    first = sequences[0]
    assert (first.subject, first.action, first.name, first.fps) == (
        "Train/S1",
        "Walking",
        "Walking 1 chunk0",
        60,
    )
    assert first.skeleton.name == "humaneva_15"
    assert [s.camera.id for s in sequences[:3]] == ["C1", "C2", "C3"]
    assert (first.camera.width, first.camera.height, first.camera.has_intrinsics) == (640, 480, False)
    camera = CAMERAS["Train/S1"][1]
    world = poses["Train/S1"]["Walking 1 chunk0"]
    expected = world_to_camera(world, camera.orientation, camera.translation)
    np.testing.assert_allclose(sequences[1].pose_3d, expected)
    np.testing.assert_array_equal(sequences[1].pose_2d, pixels["Train/S1"]["Walking 1 chunk0"][1])
    assert sequences[-1].label == "Validate/S2, Jog 1 chunk0, camera C3"


def test_cameras_look_at_the_people():
    # The middle of the room, at hip height, is in front of every camera, metres away.
    middle = np.array([[0.0, 0.0, 1.0]])
    for camera in (camera for cameras in CAMERAS.values() for camera in cameras):
        assert np.linalg.norm(camera.orientation) == pytest.approx(1, abs=1e-5)
        seen = world_to_camera(middle, camera.orientation, camera.translation)[0]
        assert 3 < seen[2] < 5
        assert np.abs(seen[:2]).max() < 1
    with pytest.raises(Pose3DError, match="camera C1 has no intrinsics"):
        CAMERAS["Train/S1"][0].intrinsics()


def test_intrinsics_are_given_all_or_not_at_all():
    with pytest.raises(Pose3DError, match="camera x: center must be 2 finite numbers"):
        Camera("x", 640, 480, focal_length=[500, 500])


def test_windows_hold_screen_coordinates_and_no_intrinsics(write):
    options = dict(zip(("path_3d", "path_2d"), write(), strict=True))
    windows = open_windows("humaneva15", "test", options, WindowSpec(length=3), "humaneva_15")
    assert windows.num_centres == 3 * 3 * sum(NAMES.values())
    assert windows.store.actions == list(ACTIONS)
    assert windows.store.subjects == list(SUBJECTS)
    assert np.isnan(windows.store.intrinsics).all()
    (sequence, *_) = read_sequences("humaneva15", "Validate/S1", options, "humaneva_15")
    expected = sequence.pose_2d / 320 - [1, 0.75]
    np.testing.assert_allclose(windows.store.arrays["keypoints_2d"][:7], expected, atol=1e-6)


def test_splits():
    assert split_subjects("train") == ["Train/S1", "Train/S2", "Train/S3"]
    assert split_subjects("val") == split_subjects("test") == ["Validate/S1", "Validate/S2", "Validate/S3"]
    assert split_subjects("Validate/S1, Train/S2") == ["Validate/S1", "Train/S2"]
    # Nothing that is tested on is trained on.
    assert not set(SPLITS["trainval"]) & set(SPLITS["test"])
    with pytest.raises(Pose3DError, match="unknown HumanEva-I split 'Valid/S1': did you mean 'Validate/S1'"):
        split_subjects("Valid/S1")


def test_actions_are_selected_by_their_beginning(write):
    sequences = read_humaneva(*write(), ["Train/S1"], actions=("Walk",))
    assert {s.name for s in sequences} == {"Walking 1 chunk0", "Walking 1 chunk2"}
    assert select_recordings(NAMES, ("Walking 1 chunk2", "Jog"), "x") == {"Walking 1 chunk2", "Jog 1 chunk0"}
    with pytest.raises(Pose3DError, match=r"action 'Box' matches nothing in .*; it has Jog, Walking"):
        read_humaneva(*write(), ["Train/S1"], actions=("Walk", "Box"))


def test_detections_of_coco_joints_become_humaneva_s(write, content):
    random = np.random.default_rng(1)
    for names in content[1].values():
        for name, views in names.items():
            names[name] = [random.uniform(0, 480, (len(v) + 2, 17, 2)).astype("f4") for v in views]
    sequences = read_humaneva(*write({"layout_name": "coco"}), ["Train/S1"])
    detected = content[1]["Train/S1"]["Walking 1 chunk0"][0]
    # Videos may be longer than their motion capture.
    expected = convert_joints(detected, "coco_17", "humaneva_15")[:7]
    np.testing.assert_allclose(sequences[0].pose_2d, expected)
    np.testing.assert_allclose(expected[:, 0], detected[:7, 11:13].mean(1), rtol=1e-6)


def test_twenty_markers(write, content):
    random = np.random.default_rng(2)
    for names in content[0].values():
        for name, values in names.items():
            names[name] = random.normal(size=(len(values), 20, 3)).astype("f4")
    for names in content[1].values():
        for name, views in names.items():
            names[name] = [random.uniform(0, 480, (len(v), 20, 2)).astype("f4") for v in views]
    paths = write({"layout_name": "humaneva20"}, "humaneva20")
    markers = read_humaneva(*paths, ["Train/S1"], "humaneva_20")[0]
    joints = read_humaneva(*paths, ["Train/S1"], "humaneva_15")[0]
    np.testing.assert_allclose(
        joints.pose_3d, convert_joints(markers.pose_3d, "humaneva_20", "humaneva_15"), atol=1e-5
    )
    np.testing.assert_allclose(
        joints.pose_2d, convert_joints(markers.pose_2d, "humaneva_20", "humaneva_15"), rtol=1e-5
    )


def break_missing_chunk(poses, pixels):
    del pixels["Train/S1"]["Walking 1 chunk2"]


def break_missing_camera(poses, pixels):
    pixels["Train/S1"]["Jog 1 chunk0"][1] = None


def break_camera_count(poses, pixels):
    pixels["Train/S1"]["Jog 1 chunk0"] = pixels["Train/S1"]["Jog 1 chunk0"][:2]


def break_subject(poses, pixels):
    del poses["Train/S1"]


def break_subject_2d(poses, pixels):
    del pixels["Train/S1"]


def break_joints(poses, pixels):
    poses["Train/S1"]["Jog 1 chunk0"] = np.zeros((5, 17, 3), "f4")


def break_joints_2d(poses, pixels):
    pixels["Train/S1"]["Jog 1 chunk0"][2] = np.zeros((5, 16, 2), "f4")


def break_short_video(poses, pixels):
    pixels["Train/S1"]["Jog 1 chunk0"][2] = pixels["Train/S1"]["Jog 1 chunk0"][2][:4]


def break_finite(poses, pixels):
    poses["Train/S1"]["Jog 1 chunk0"][3, 1] = np.nan


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_missing_chunk, "gt.npz has no 'Walking 1 chunk2' of Train/S1, which .*data_3d_humaneva15.npz"),
        (break_missing_camera, "Train/S1, Jog 1 chunk0 has no 2D poses of camera C2"),
        (break_camera_count, "Train/S1, Jog 1 chunk0 has 2 cameras, expected 3"),
        (break_subject, "data_3d_humaneva15.npz has no subject Train/S1; it has Train/S2"),
        (break_subject_2d, "data_2d_humaneva15_gt.npz has no subject Train/S1; it has Train/S2"),
        (break_joints, "Train/S1, Jog 1 chunk0 has 17 joints, expected 15 or 20"),
        (break_joints_2d, "Train/S1, Jog 1 chunk0, camera C3 has 16 joints, expected 15 or 20 or 17"),
        (break_short_video, "camera C3 has 4 frames, fewer than the 5 of its 3D sequence"),
        (break_finite, "Train/S1, Jog 1 chunk0, frame 3 has NaN or infinite"),
    ],
)
def test_bad_files_are_named(write, content, damage, words):
    damage(*content)
    with pytest.raises(Pose3DError, match=words) as caught:
        read_humaneva(*write(), ["Train/S1"])
    assert "\n" not in str(caught.value)


def test_layouts_that_do_not_fit_are_named(write):
    with pytest.raises(Pose3DError, match="HumanEva-I has 15 or 20 joints, this model reads h36m_17"):
        read_humaneva(*write(), ["Train/S1"], "h36m_17")
    with pytest.raises(Pose3DError, match="layout humaneva_15 cannot be turned into humaneva_20"):
        read_humaneva(*write(), ["Train/S1"], "humaneva_20")
    with pytest.raises(Pose3DError, match="has 15 joints, expected the 16 of mpii_16"):
        read_humaneva(*write({"layout_name": "mpii"}), ["Train/S1"])
    with pytest.raises(Pose3DError, match="has 15 joints, expected the 17 of coco_17"):
        read_humaneva(*write({"layout_name": "coco"}), ["Train/S1"])


def test_files_by_name(tmp_path, write):
    path_3d, path_2d = write()
    assert dataset_of_file(str(path_3d)) == "humaneva15"
    assert dataset_of_file("somewhere/data_3d_h36m.npz") == "h36m"
    assert HUMANEVA_15.files(HUMANEVA_15.complete({"path_3d": path_3d})) == (path_3d, path_2d)
    with pytest.raises(Pose3DError, match=r"there is no .*data_2d_humaneva15_cpn.npz; .* has gt"):
        HUMANEVA_15.files(HUMANEVA_15.complete({"path_3d": path_3d, "keypoints": "cpn"}))
