import json

import numpy as np
import pytest

from tf_pose3d.camera import camera_to_world, normalize_screen_coordinates, project_pixels
from tf_pose3d.data.human36m import (
    ACTIONS,
    CAMERAS,
    DATASET,
    SUBJECTS,
    read_human36m,
    split_subjects,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import joint_indices

FRAMES = 6


def save(path, key, content):
    np.savez(path, **{key: np.array(content, dtype=object)})
    return path


def positions_3d(subjects=("S1", "S9"), recordings=("Walking 1", "Eating"), joints=32):
    rng = np.random.default_rng(1)
    return {
        subject: {name: rng.normal(size=(FRAMES, joints, 3)).astype(np.float32) for name in recordings}
        for subject in subjects
    }


def positions_2d(subjects=("S1", "S9"), recordings=("Eating", "Walking 1"), joints=17, frames=FRAMES):
    rng = np.random.default_rng(2)
    return {
        subject: {
            name: [rng.uniform(0, 1000, size=(frames, joints, 2)).astype(np.float32) for _ in range(4)]
            for name in recordings
        }
        for subject in subjects
    }


@pytest.fixture
def read(tmp_path):
    """Write 3D and 2D content to files and read them."""

    def write_and_read(content_3d, content_2d, subjects=("S1", "S9"), **options):
        path_3d = None if content_3d is None else save(tmp_path / "data_3d.npz", "positions_3d", content_3d)
        path_2d = None if content_2d is None else save(tmp_path / "data_2d.npz", "positions_2d", content_2d)
        return read_human36m(path_3d, path_2d, subjects, **options)

    return write_and_read


def test_cameras_are_those_of_the_releases():
    assert tuple(CAMERAS) == SUBJECTS
    for cameras in CAMERAS.values():
        assert [camera.id for camera in cameras] == ["54138969", "55011271", "58860488", "60457274"]
        assert [(camera.width, camera.height) for camera in cameras] == [
            (1000, 1002),
            (1000, 1000),
            (1000, 1000),
            (1000, 1002),
        ]
        for camera in cameras:
            assert np.linalg.norm(camera.orientation) == pytest.approx(1, abs=1e-6)
            assert 0.5 < camera.translation[2] < 2.5
    first = CAMERAS["S1"][0]
    assert first.orientation.tolist() == [
        0.1407056450843811,
        -0.1500701755285263,
        -0.755240797996521,
        0.6223280429840088,
    ]
    np.testing.assert_allclose(first.translation, [1.8411070556640625, 4.95528466796875, 1.5634454345703125])


def test_cameras_equal_the_reference_file(shared):
    reference = json.loads((shared / "data/h36m_cameras.json").read_text())
    for subject, cameras in CAMERAS.items():
        for camera, facts in zip(cameras, reference[subject], strict=True):
            assert (camera.id, camera.width, camera.height) == (facts["id"], facts["res_w"], facts["res_h"])
            assert camera.focal_length.tolist() == facts["focal_length"]
            assert camera.center.tolist() == facts["center"]
            assert camera.radial.tolist() == facts["radial_distortion"]
            assert camera.tangential.tolist() == facts["tangential_distortion"]
            assert camera.orientation.tolist() == facts["orientation"]
            np.testing.assert_allclose(camera.translation * 1000, facts["translation"], rtol=1e-12)


@pytest.mark.parametrize("case", ["n71_stride5_sin20", "n41_stride2_sin10", "n27_stride1"])
def test_golden_frames(shared, golden, case):
    data = shared / "golden/data"
    sequences = read_human36m(
        data / "data_3d_h36m.npz", data / "data_2d_h36m_cpn_ft_h36m_dbb.npz", split_subjects("test")
    )
    with np.load(golden / "sequences.npz") as file:
        expected = {key.split("/")[1]: file[key] for key in file.files if key.startswith(case)}
    ends = np.cumsum([sequence.num_frames for sequence in sequences])
    assert ends[-1] == expected["count"]
    center = expected["pose_3d"].shape[1] // 2
    for row, index in enumerate(expected["index"]):
        number = np.searchsorted(ends, index, side="right")
        sequence = sequences[number]
        frame = index - (ends[number] - sequence.num_frames)
        assert frame == expected["frame"][row]
        assert SUBJECTS.index(sequence.subject) == expected["subject"][row]
        assert ACTIONS.index(sequence.action) == expected["action"][row]
        np.testing.assert_allclose(sequence.camera.intrinsics(), expected["camera"][row], atol=1e-7)
        np.testing.assert_allclose(sequence.pose_3d[frame], expected["pose_3d"][row, center], atol=2e-6)
        camera = sequence.camera
        pose_2d = normalize_screen_coordinates(sequence.pose_2d[frame], camera.width, camera.height)
        np.testing.assert_allclose(pose_2d, expected["pose_2d"][row, center], atol=1e-6)


def test_exact_2d_is_the_projection(shared):
    data = shared / "golden/data"
    for sequence in read_human36m(data / "data_3d_h36m.npz", data / "data_2d_h36m_gt.npz", ["S6"]):
        projected = project_pixels(sequence.pose_3d, sequence.camera)
        np.testing.assert_allclose(projected, sequence.pose_2d, atol=5e-3)


def test_videos_longer_than_3d_are_cut(shared):
    data = shared / "golden/data"
    path_2d = data / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    both = read_human36m(data / "data_3d_h36m.npz", path_2d, ["S1"])
    alone = read_human36m(None, path_2d, ["S1"])
    cut = [(len(a.pose_2d), len(b.pose_2d)) for a, b in zip(both, alone, strict=True)]
    assert any(short == long - 2 for short, long in cut)
    for a, b in zip(both, alone, strict=True):
        assert a.label == b.label
        assert len(a.pose_2d) == len(a.pose_3d)
        assert b.pose_3d is None
        np.testing.assert_array_equal(a.pose_2d, b.pose_2d[: len(a.pose_2d)])


def test_order_names_and_frames(read):
    content_3d, content_2d = positions_3d(), positions_2d()
    sequences = read(content_3d, content_2d, subjects=["S9", "S1"])
    assert [(s.subject, s.name, s.camera.id) for s in sequences] == [
        (subject, name, camera.id)
        for subject in ("S9", "S1")
        for name in ("Eating", "Walking 1")
        for camera in CAMERAS[subject]
    ]
    last = sequences[-1]
    assert (last.action, last.fps, last.world_frame, last.skeleton.name) == (
        "Walking",
        50,
        False,
        "uplift_17",
    )
    assert last.pose_2d.dtype == last.pose_3d.dtype == np.float32
    world = camera_to_world(last.pose_3d, last.camera.orientation, last.camera.translation)
    expected = content_3d["S1"]["Walking 1"][:, joint_indices("h36m_32", "uplift_17")]
    np.testing.assert_allclose(world, expected, atol=1e-5)
    np.testing.assert_array_equal(
        last.pose_2d, content_2d["S1"]["Walking 1"][3][:, joint_indices("h36m_17", "uplift_17")]
    )


def test_3d_alone(read):
    sequences = read(positions_3d(joints=17), None, skeleton="h36m_17")
    assert [s.name for s in sequences[::4]] == ["Walking 1", "Eating"] * 2
    assert all(s.pose_2d is None for s in sequences)


@pytest.mark.parametrize("joints", [16, 17])
def test_sixteen_joints_from_either_file(read, joints):
    content_2d = positions_2d(joints=joints)
    sequence = read(positions_3d(), content_2d, skeleton="h36m_16")[0]
    kept = joint_indices("h36m_17", "h36m_16") if joints == 17 else slice(None)
    np.testing.assert_array_equal(sequence.pose_2d, content_2d["S1"]["Eating"][0][:, kept])
    assert sequence.pose_3d.shape == (FRAMES, 16, 3)


def test_confidence_is_kept(read):
    content = {"S1": {"Eating": [np.ones((4, 17, 3), np.float32)] * 4}}
    assert read(None, content, subjects=["S1"])[0].pose_2d.shape == (4, 17, 3)


def test_double_precision_becomes_single(read):
    content = {"S1": {"Eating": np.ones((4, 32, 3))}}
    assert read(content, None, subjects=["S1"])[0].pose_3d.dtype == np.float32


def test_the_two_renamed_actions(read):
    content_3d = positions_3d(recordings=("TakingPhoto 1", "WalkingDog"))
    content_2d = positions_2d(recordings=("Photo 1", "WalkDog"))
    sequences = read(content_3d, content_2d)
    assert [(s.name, s.action) for s in sequences[:8:4]] == [("Photo 1", "Photo"), ("WalkDog", "WalkDog")]


@pytest.mark.parametrize(
    ("actions", "names"),
    [
        (["Walking"], {"Walking", "Walking 1"}),
        (["Walking 1"], {"Walking 1"}),
        (["Sitting"], {"Sitting"}),
        (["TakingPhoto", "Sitting"], {"Photo", "Sitting"}),
    ],
)
def test_action_filter(read, actions, names):
    recordings = ("Walking", "Walking 1", "Sitting", "SittingDown", "Photo")
    sequences = read(
        positions_3d(recordings=recordings), positions_2d(recordings=recordings), actions=actions
    )
    assert {s.name for s in sequences} == names


def test_2d_without_3d_is_left_out(read):
    sequences = read(positions_3d(recordings=("Walking 1",)), positions_2d())
    assert {s.name for s in sequences} == {"Walking 1"}


def test_splits():
    assert split_subjects("train") == ["S1", "S5", "S6", "S7"]
    assert split_subjects("val") == ["S8"]
    assert split_subjects("trainval") == ["S1", "S5", "S6", "S7", "S8"]
    assert split_subjects("test") == ["S9", "S11"]
    assert split_subjects("S11") == ["S11"]
    with pytest.raises(Pose3DError, match=r"unknown Human3.6M split 'tset': did you mean 'test'\?"):
        split_subjects("tset")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_coordinates_that_are_no_numbers(read, value):
    content = positions_3d()
    content["S9"]["Eating"][4, 2, 1] = value
    message = r"data_3d.npz: S9, Eating, frame 4 has NaN or infinite coordinates \(1 such frames\)"
    with pytest.raises(Pose3DError, match=message):
        read(content, positions_2d())
    content = positions_2d()
    content["S9"]["Eating"][2][3:5, 2, 1] = value
    message = r"data_2d.npz: S9, Eating, camera 58860488, frame 3 has NaN or infinite .*\(2 such frames\)"
    with pytest.raises(Pose3DError, match=message):
        read(positions_3d(), content)


def test_joints_that_are_not_read_may_be_missing(read):
    content = positions_3d()
    content["S1"]["Eating"][:, 5] = np.nan
    assert len(read(content, positions_2d())) == 16


@pytest.mark.parametrize(
    ("content_3d", "content_2d", "options", "message"),
    [
        (positions_3d(), positions_2d(["S1"]), {}, r"data_2d.npz has no subject S9; it has S1$"),
        (positions_3d(["S1"]), positions_2d(), {}, r"data_3d.npz has no subject S9; it has S1$"),
        (
            positions_3d(),
            positions_2d(recordings=["Eating"]),
            {},
            r"data_2d.npz has no action 'Walking 1' of S1, which .*data_3d.npz has",
        ),
        (
            positions_3d(),
            positions_2d(frames=FRAMES - 1),
            {},
            r"data_2d.npz: S1, Eating, camera 54138969 has 5 frames, fewer than the 6 of its 3D sequence",
        ),
        (
            positions_3d(),
            {"S1": {"Eating": [np.ones((6, 17, 2))] * 3, "Walking 1": []}},
            {"subjects": ["S1"]},
            r"data_2d.npz: S1, Eating has 3 cameras, expected 4",
        ),
        (
            positions_3d(),
            {"S1": {"Walking 1": None, "Eating": []}},
            {"subjects": ["S1"]},
            r"data_2d.npz: S1, Walking 1 holds a NoneType, expected a list of videos",
        ),
        (
            positions_3d(joints=21),
            positions_2d(),
            {},
            r"data_3d.npz: S1, Eating has 21 joints, expected 32 or 17 in Human3.6M's order",
        ),
        (
            positions_3d(),
            positions_2d(joints=18),
            {},
            r"data_2d.npz: S1, Eating, camera 54138969 has 18 joints, expected 17 or 16",
        ),
        (
            positions_3d(),
            positions_2d(joints=16),
            {},
            r"has 16 joints \(without Neck/Nose\), but the uplift_17 layout needs 17: use a 2D file",
        ),
        (
            {"S1": {"Eating": np.ones((6, 32))}},
            None,
            {"subjects": ["S1"]},
            r"data_3d.npz: S1, Eating has shape \(6, 32\) of float64, expected numbers \(frames, joints, 3\)",
        ),
        (
            {"S1": {"Eating": "x"}},
            None,
            {"subjects": ["S1"]},
            r"data_3d.npz: S1, Eating holds a str, expected an array of coordinates",
        ),
        (
            {"S1": 3},
            None,
            {},
            r"data_3d.npz: positions_3d must be a dict of subjects, each a dict of recordings",
        ),
        (
            positions_3d(),
            positions_2d(),
            {"actions": ["Jumping"]},
            r"action 'Jumping' matches nothing in .*data_2d.npz \(S1, S9\); it has Eating, Walking$",
        ),
        (positions_3d(), None, {"subjects": ["S2"]}, r"unknown Human3.6M subject 'S2'; known: S1, S5"),
        (positions_3d(), None, {"skeleton": "h36m_18"}, r"unknown joint layout 'h36m_18'"),
        (positions_3d(), None, {"skeleton": "coco_17"}, r"h36m_32 lacks nose"),
        (None, None, {}, r"neither a 3D nor a 2D file"),
    ],
)
def test_bad_content(read, content_3d, content_2d, options, message):
    with pytest.raises(Pose3DError, match=message) as raised:
        read(content_3d, content_2d, **options)
    assert "\n" not in str(raised.value)


def test_missing_file_and_key(tmp_path):
    with pytest.raises(Pose3DError, match=r"data_3d.npz does not exist"):
        read_human36m(tmp_path / "data_3d.npz", None, ["S1"])
    path = save(tmp_path / "data_2d.npz", "positions_2d", positions_2d())
    with pytest.raises(Pose3DError, match=r"data_2d.npz has no positions_3d; it holds positions_2d"):
        read_human36m(path, None, ["S1"])
    with pytest.raises(Pose3DError, match=r"data_3d.npz has no positions_2d"):
        read_human36m(None, save(tmp_path / "data_3d.npz", "positions_3d", positions_3d()), ["S1"])


def test_people_without_3d_poses_are_read_for_their_2d(tmp_path):
    save(tmp_path / "data_3d_h36m.npz", "positions_3d", positions_3d(("S1",)))
    save(tmp_path / "data_2d_h36m_gt.npz", "positions_2d", positions_2d(("S1", "S2", "S4")))
    options = DATASET.complete({"path_3d": tmp_path / "data_3d_h36m.npz", "keypoints": "gt"})
    read = DATASET.read_unlabeled("S2,S4,S1", options, "h36m_17", "h36m_17", None)
    assert list(dict.fromkeys(one.subject for one in read)) == ["S2", "S4", "S1"]
    assert all(one.pose_3d is None and one.camera.has_intrinsics for one in read)
    np.testing.assert_array_equal(read[1].camera.intrinsics(), CAMERAS["S1"][1].intrinsics())
    assert read[0].camera.orientation is None
    with pytest.raises(Pose3DError, match=r"unknown Human3\.6M split 'S2'"):
        DATASET.read("S2", options, "h36m_17", "h36m_17", None)
    with pytest.raises(Pose3DError, match=r"unknown Human3\.6M subject 'S2'"):
        read_human36m(options["path_3d"], tmp_path / "data_2d_h36m_gt.npz", ["S2"])
