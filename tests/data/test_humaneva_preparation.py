import numpy as np
import pytest
from scipy.io import savemat

from tf_pose3d.cli.prepare_humaneva import main, prepare_humaneva
from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.humaneva import SUBJECTS, read_humaneva
from tf_pose3d.data.humaneva_preparation import FRAME_RANGES, read_detections, read_recordings
from tf_pose3d.errors import Pose3DError

# Frames, counted in the file, at which motion capture fails.
DAMAGED = {("Train/S1", "Walking"): (0, 1, 10), ("Validate/S2", "Box"): (376,)}
ACTIONS = ("Walking", "Box")


def recording(subject, action, joints=15):
    """poses_3d and poses_2d as ConvertHumanEva.m writes them."""
    random = np.random.default_rng([SUBJECTS.index(subject), len(action)])
    begin, end = FRAME_RANGES[subject][action]
    pose_3d = random.uniform(-900, 900, (end - begin, joints, 3))
    pose_2d = random.uniform(0, 480, (3, end - begin, joints, 2))
    for frame in DAMAGED.get((subject, action), ()):
        pose_3d[frame], pose_2d[:, frame] = np.nan, np.nan
    return {"poses_3d": pose_3d, "poses_2d": pose_2d}


@pytest.fixture
def folder(tmp_path):
    for subject in SUBJECTS:
        (tmp_path / "mat" / subject).mkdir(parents=True)
        for action in ACTIONS:
            savemat(tmp_path / "mat" / subject / f"{action}_1.mat", recording(subject, action))
    return tmp_path / "mat"


def test_files_are_those_that_the_reader_reads(folder, tmp_path):
    lines = []
    prepare_humaneva(
        ["--path", str(folder), "--convert-3d", "--folder", str(tmp_path / "data")], lines.append
    )
    assert lines[0].startswith(
        "12 recordings; not there: Train/S1 Jog, Train/S1 ThrowCatch, Train/S1 Gestures"
    )
    assert "Train/S3 ThrowCatch" not in lines[0]
    path_3d, path_2d = (tmp_path / "data" / f"data_{n}.npz" for n in ("3d_humaneva15", "2d_humaneva15_gt"))
    assert lines[1:] == [f"wrote {path_3d}", f"wrote {path_2d}"]
    truth = load_archive(path_3d)["positions_3d"]
    assert list(truth) == list(SUBJECTS)
    # Damaged chunks are counted, too.
    assert {name: len(values) for name, values in truth["Train/S1"].items()} == {
        "Walking 1 chunk1": 8,
        "Walking 1 chunk3": 1203 - 590 - 11,
        "Box 1 chunk0": 404,
    }
    assert list(truth["Validate/S2"]) == ["Walking 1 chunk0", "Box 1 chunk0"]
    assert len(truth["Validate/S2"]["Box 1 chunk0"]) == 376
    source = recording("Train/S1", "Walking")
    np.testing.assert_allclose(
        truth["Train/S1"]["Walking 1 chunk1"], source["poses_3d"][2:10] / 1000, rtol=1e-6
    )
    keypoints = load_archive(path_2d)
    assert keypoints["metadata"] == {
        "layout_name": "humaneva15",
        "num_joints": 15,
        "keypoints_symmetry": [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]],
    }
    view = keypoints["positions_2d"]["Train/S1"]["Walking 1 chunk1"][2]
    np.testing.assert_allclose(view, source["poses_2d"][2, 2:10], rtol=1e-6)
    sequences = read_humaneva(path_3d, path_2d, SUBJECTS, actions=("Walk",))
    assert len(sequences) == 3 * 7


def test_twenty_joints_make_files_of_that_name(folder, tmp_path):
    for subject in SUBJECTS:
        for action in ACTIONS:
            savemat(folder / subject / f"{action}_1.mat", recording(subject, action, 20))
    prepare_humaneva(["-p", str(folder), "--convert-3d", "--folder", str(tmp_path)], lambda line: None)
    metadata = load_archive(tmp_path / "data_2d_humaneva20_gt.npz")["metadata"]
    assert metadata["keypoints_symmetry"] == [
        [3, 4, 5, 6, 11, 12, 13, 14],
        [7, 8, 9, 10, 15, 16, 17, 18],
    ]
    with pytest.raises(Pose3DError, match="exists already; move it away or say --overwrite"):
        prepare_humaneva(["-p", str(folder), "--convert-3d", "--folder", str(tmp_path)], lambda line: None)


@pytest.fixture
def detections(tmp_path):
    """CPN's poses of S1's and S2's videos, whose numbers tell frame and camera."""
    place = tmp_path / "detected"
    for person, action in (("S1", "Walking"), ("S2", "Box"), ("S4", "Walking")):
        (place / person).mkdir(parents=True, exist_ok=True)
        for camera in (1, 2, 3):
            poses = np.zeros((1400, 17, 3))
            poses[..., 0] = np.arange(1400)[:, None]
            poses[..., 1] = camera
            np.savez(place / person / f"{action}_1_(C{camera}).avi.npz", keypoints=poses)
    return place


def test_detections_are_synchronised_and_cut_into_chunks(folder, detections, tmp_path):
    arguments = [
        "-p",
        str(folder),
        "--convert-2d",
        str(detections),
        "-o",
        "cpn_coco",
        "--folder",
        str(tmp_path),
    ]
    prepare_humaneva(arguments, lambda line: None)
    content = load_archive(tmp_path / "data_2d_humaneva15_cpn_coco.npz")
    assert content["metadata"]["layout_name"] == "coco"
    positions = content["positions_2d"]
    assert sorted(positions) == [
        "Train/S1",
        "Train/S2",
        "Unlabeled/S4",
        "Unlabeled/Train/S1",
        "Unlabeled/Validate/S2",
        "Validate/S1",
        "Validate/S2",
    ]
    # Motion capture begins at the videos' frames 82, 81 and 82, counted from 1.
    chunk = positions["Train/S1"]["Walking 1 chunk1"]
    for camera, offset in enumerate((81, 80, 81)):
        np.testing.assert_array_equal(chunk[camera][:, 0, 0], np.arange(592, 600) + offset)
        assert (chunk[camera][:, :, 1] == camera + 1).all()
    assert [len(view) for view in positions["Unlabeled/Train/S1"]["Walking 1 chunk0"]] == [2, 2, 2]
    assert [len(view) for view in positions["Unlabeled/S4"]["Walking 1"]] == [1400] * 3


def test_detectron_takes_the_best_box(folder, tmp_path):
    place = tmp_path / "detected" / "S1"
    place.mkdir(parents=True)
    frames = 1400
    keypoints, boxes = np.empty((frames, 2), object), np.empty((frames, 2), object)
    for frame in range(frames):
        poses = [np.full((6, 17), value, "f4") for value in (1, 2)]
        scores = np.array([[0, 0, 1, 1, 0.3], [0, 0, 1, 1, 0.9]])
        if frame == 700:
            poses, scores = [], np.zeros((0, 5))
        keypoints[frame, 0], keypoints[frame, 1] = [], poses
        boxes[frame, 0], boxes[frame, 1] = [], scores
    for camera in (1, 2, 3):
        np.savez(place / f"Walking_1_(C{camera}).avi.npz", keypoints=keypoints, boxes=boxes)
    arguments = ["-p", str(folder), "--convert-2d", str(place.parent), "-o", "detectron_pt_coco"]
    prepare_humaneva([*arguments, "--folder", str(tmp_path)], lambda line: None)
    positions = load_archive(tmp_path / "data_2d_humaneva15_detectron_pt_coco.npz")["positions_2d"]
    # Frame 700 found nobody and repeats the one before.
    assert (positions["Train/S1"]["Walking 1 chunk3"][0] == 2).all()


def test_detectron_files_of_another_form(tmp_path):
    path = tmp_path / "S1" / "Walking_1_(C1).avi.npz"
    path.parent.mkdir()
    nobody, person = [[], np.zeros((0, 5))], [[], np.ones((1, 5))]
    for boxes, keypoints, words in (
        ([nobody], [[[], []]], "no person in its first frame"),
        ([person, person], [[[], [np.zeros((6, 17))]]], "frame 1 is not as Detectron writes it"),
        ([person], [[[], []]], "frame 0 is not as Detectron writes it"),
    ):
        arrays = {"boxes": boxes, "keypoints": keypoints}
        boxed = {}
        for name, frames in arrays.items():
            boxed[name] = np.empty((len(frames), 2), object)
            for number, (background, people) in enumerate(frames):
                boxed[name][number, 0], boxed[name][number, 1] = background, people
        np.savez(path, **boxed)
        with pytest.raises(Pose3DError, match=words):
            read_detections(tmp_path, "detectron_pt_coco")


def change(folder, subject="Train/S2", name="Walking_1", **arrays):
    content = recording(subject, "Walking")
    content.update(arrays)
    savemat(
        folder / subject / f"{name}.mat", {key: value for key, value in content.items() if value is not None}
    )


def test_bad_input_is_one_line(folder, detections, tmp_path, capfd):
    def refused(words, *flags):
        capfd.readouterr()
        given = flags or ("--convert-3d",)
        assert main(["-p", str(folder), *given, "--folder", str(tmp_path / "out")]) == 2
        lines = capfd.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert words in lines[0]
        assert not (tmp_path / "out").exists()

    change(folder, poses_2d=None)
    refused("Train/S2/Walking_1.mat has no poses_2d; it holds poses_3d")
    change(folder, poses_3d=np.zeros((438, 17, 3)))
    refused("poses_3d has shape (438, 17, 3), expected (438, 15 or 20, 3) for Walking 1")
    change(folder, poses_2d=np.zeros((3, 400, 15, 2)))
    refused("poses_2d has shape (3, 400, 15, 2), expected (3, 438, 15, 2)")
    damaged = recording("Train/S2", "Walking")["poses_3d"]
    damaged[7] = np.nan
    change(folder, poses_3d=damaged)
    refused("frame 7 is damaged in one of poses_3d and poses_2d only")
    (folder / "Train/S2/Walking_1.mat").write_bytes(b"no matrix")
    refused("Train/S2/Walking_1.mat is no MATLAB file or is damaged")
    change(folder)
    change(folder, name="Walking_2")
    refused("Walking_2.mat: no recording with motion capture has this name")
    (folder / "Train/S2/Walking_2.mat").unlink()
    refused("nothing to do", "--overwrite")
    refused("needs --output NAME", "--convert-2d", str(detections))
    two_d = ("--convert-2d", str(detections), "-o")
    refused("--output cpn does not tell the joints", *two_d, "cpn")
    refused("--output coco does not tell the detector", *two_d, "coco")
    (detections / "S1/Walking_1_(C2).avi.npz").unlink()
    refused("no detections of S1, Walking 1, camera C2", *two_d, "cpn_coco")
    np.savez(detections / "S1/Walking_1_(C2).avi.npz", keypoints=np.zeros((700, 17, 3)))
    refused("S1, Walking 1, camera C2 end at frame 700", *two_d, "cpn_coco")
    np.savez(detections / "S1/Walking_1_(C2).avi.npz", keypoints=np.zeros((700, 16, 3)))
    refused("poses of shape (700, 16, 2), expected (frames, 17, 2)", *two_d, "cpn_coco")
    for path in (folder / "Validate/S3").glob("*.mat"):
        path.unlink()
    refused("has no recordings of Validate/S3")


def test_mixed_joint_numbers(folder):
    savemat(folder / "Train/S2/Box_1.mat", recording("Train/S2", "Box", 20))
    with pytest.raises(Pose3DError, match="15 and 20 joints, mixed"):
        read_recordings(folder)
    with pytest.raises(Pose3DError, match="nowhere is not a folder"):
        read_recordings("nowhere")
