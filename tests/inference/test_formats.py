"""Readers of detectors' files: what every one gives back, and what each says about bad files."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats import FORMATS, ReadOptions, read_keypoints
from tf_pose3d.inference.formats.joint_names import find_joint
from tf_pose3d.inference.formats.source import Source, natural_order
from tf_pose3d.inference.keypoints import dense_keypoints
from tf_pose3d.inference.people import choose_people
from tf_pose3d.skeleton import get_skeleton

_PATH = Path(__file__).resolve().parents[2] / "tools" / "keypoint_writers.py"
_SPEC = importlib.util.spec_from_file_location("keypoint_writers", _PATH)
writers = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(writers)

FRAMES = 12


def made_up(layout, frames=FRAMES, seed=0):
    """`(F, J, 3)` of one person; frame 7 without them, one joint missing in frame 3."""
    random = np.random.default_rng(seed)
    joints = get_skeleton(layout).num_joints
    places = random.uniform(300, 700, (1, joints, 2)) + random.normal(0, 2, (frames, joints, 2)).cumsum(0)
    points = np.concatenate([places, random.uniform(0.5, 1, (frames, joints, 1))], axis=2)
    if frames > 7:
        points[7] = np.nan
        points[3, 2] = np.nan
    return points.astype(np.float32)


@pytest.mark.parametrize("label", writers.WRITERS)
def test_what_is_written_is_read(label, tmp_path):
    layout, _, _ = writers.WRITERS[label]
    points = made_up(layout)
    video = read_keypoints(writers.write(label, tmp_path, points, 1000, 800, 25))
    (person,) = choose_people(video)
    found = dense_keypoints(person, video.num_frames)
    order = list(range(points.shape[1]))
    if video.format == "deeplabcut":
        order = [get_skeleton(layout).index(joint) for joint in video.skeleton.joints]
    else:
        assert video.skeleton is get_skeleton(layout)
    np.testing.assert_allclose(found[..., :2], points[:, order, :2], atol=2e-3)
    if video.format == "detectron2":
        # Its scores are no probabilities: they keep their order, and good joints stay good.
        score = np.nan_to_num(writers.detectron2_scores(points[..., 2]))
        np.testing.assert_allclose(np.nan_to_num(found[..., 2]), score / (score + 0.005), atol=1e-5)
        assert np.nanmin(found[..., 2]) > 0.5
    elif video.format != "videopose3d":
        np.testing.assert_allclose(found[..., 2], points[:, order, 2], atol=1e-3)
    assert video.num_frames == FRAMES
    assert 7 not in person.frames
    if video.width is not None:
        assert (video.width, video.height) == (1000, 800)


def test_every_format_is_written_by_a_test():
    layouts = {"array", "videopose3d", "openpose", "coco", "mmpose", "alphapose", "detectron2", "mediapipe"}
    assert layouts | {"deeplabcut", "ultralytics", "sleap", "trc", "easy_vitpose"} == set(FORMATS)


def two_people(folder, near=80.0, far=40.0):
    """COCO results of two people who cross the image, without track ids."""
    detections = []
    for frame in range(20):
        for start, step, size in ((100, 10, near), (600, -10, far)):
            random = np.random.default_rng(int(size))
            pose = random.uniform(0, size, (17, 2)) + np.array([start + step * frame, 200 + 3 * size])
            values = np.concatenate([pose, np.full((17, 1), 0.9 if size == near else 0.95)], axis=1)
            detections.append(
                {"image_id": frame, "category_id": 1, "keypoints": values.ravel().tolist(), "score": 1.0}
            )
    path = folder / "two.json"
    path.write_text(json.dumps(detections))
    return path


def test_people_are_linked_and_chosen(tmp_path):
    video = read_keypoints(two_people(tmp_path))
    assert [len(person.frames) for person in video.people] == [20, 20]
    for person in video.people:
        # No jump from one to the other.
        assert np.abs(np.diff(person.keypoints[:, 0, 0])).max() < 11
    largest, confident = choose_people(video, "largest"), choose_people(video, "confident")
    assert (largest[0].id, confident[0].id) == ("0", "1")
    assert choose_people(video, "1")[0] is video.people[1]
    assert choose_people(video, "all") == list(video.people)
    with pytest.raises(
        Pose3DError, match=r"no person of that id in .*two.json; there are 0, 1, or give largest"
    ):
        choose_people(video, "7")


def test_track_ids_are_kept(tmp_path):
    content = json.loads(two_people(tmp_path).read_text())
    for detection in content:
        detection["track_id"] = 7 if detection["keypoints"][2] == 0.9 else 3
    path = tmp_path / "tracked.json"
    path.write_text(json.dumps(content))
    assert {person.id for person in read_keypoints(path).people} == {"7", "3"}
    content[2]["track_id"] = content[3]["track_id"]
    path.write_text(json.dumps(content))
    video = read_keypoints(path)
    assert [person.id for person in video.people] == ["0", "1"]
    assert "is twice in frame 1: its ids are no tracks" in video.warnings[0]


def test_coco_annotations_give_sizes_and_empty_frames(tmp_path):
    images = [{"id": 10 + i, "file_name": f"f_{i}.jpg", "width": 640, "height": 480} for i in range(12)]
    pose = made_up("coco_17", 1)[0]
    pose[:, 2] = 2
    annotations = [{"image_id": 12, "keypoints": pose.ravel().tolist(), "category_id": 1}]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    video = read_keypoints(path)
    assert (video.width, video.height, video.num_frames) == (640, 480, 12)
    assert video.people[0].frames.tolist() == [2]
    assert (video.people[0].keypoints[..., 2] == 1).all()
    images[3]["width"] = 320
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    with pytest.raises(Pose3DError, match=r"annotations.json: images of mixed sizes"):
        read_keypoints(path)


def test_whole_body_layouts_give_the_body(tmp_path):
    points = np.concatenate([made_up("coco_17", 3)] * 8, axis=1)[:, :133]
    path = writers.write_mmpose(tmp_path / "whole.json", points, 1000, 800, 25, None)
    video = read_keypoints(path)
    assert video.skeleton.name == "coco_17"
    np.testing.assert_allclose(video.people[0].keypoints[..., :2], points[:, :17, :2], atol=2e-3)


def test_mmpose_demo_and_folder_of_images(tmp_path):
    frames = json.loads(
        writers.write_mmpose(tmp_path / "a.json", made_up("coco_17"), 1, 1, 1, None).read_text()
    )
    expected = read_keypoints(tmp_path / "a.json").people[0].keypoints
    for frame in frames:
        frame["frame_id"] += 1
    (tmp_path / "b.json").write_text(json.dumps({"meta_info": {}, "instance_info": frames}))
    np.testing.assert_array_equal(read_keypoints(tmp_path / "b.json").people[0].keypoints, expected)
    (tmp_path / "c").mkdir()
    for number, frame in enumerate(frames):
        (tmp_path / "c" / f"{number}.json").write_text(json.dumps(frame["instances"]))
    np.testing.assert_array_equal(read_keypoints(tmp_path / "c").people[0].keypoints, expected)


def test_mediapipe_needs_a_size(tmp_path):
    writers.write_mediapipe(tmp_path / "m.json", made_up("mediapipe_33", 4), 1000, 800, 25, None)
    frames = json.loads((tmp_path / "m.json").read_text())["frames"]
    (tmp_path / "m.json").write_text(json.dumps(frames))
    with pytest.raises(Pose3DError, match="fractions of the image; give its size by --width and --height"):
        read_keypoints(tmp_path / "m.json")
    video = read_keypoints(tmp_path / "m.json", options=ReadOptions(width=1000, height=800))
    np.testing.assert_allclose(
        video.people[0].keypoints[..., :2], made_up("mediapipe_33", 4)[..., :2], atol=2e-3
    )


def test_deeplabcut_without_likelihood_and_with_two_animals(tmp_path):
    lines = [
        "scorer,m,m,m,m,m,m",
        "individuals,a,a,a,a,b,b",
        "bodyparts,hip1,hip1,chin,chin,hip1,hip1",
        "coords,x,y,x,y,x,y",
        "0,1,2,3,4,5,6",
        "1,1,2,,,5,6",
    ]
    path = tmp_path / "dlc.csv"
    path.write_text("\n".join(lines))
    video = read_keypoints(path)
    assert video.skeleton.joints == ("r_hip", "mpii_upper_neck")
    first, second = video.people
    assert (first.id, second.id) == ("a", "b")
    np.testing.assert_array_equal(first.keypoints[0], [[1, 2, 1], [3, 4, 1]])
    assert np.isnan(first.keypoints[1, 1]).all()
    assert np.isnan(second.keypoints[:, 1]).all()


def test_joint_names():
    names = {
        "left_hip": "l_hip",
        "LHip": "l_hip",
        "Hip_R": "r_hip",
        "rknee": "r_knee",
        "ankle1": "r_ankle",
        "shoulder2": "l_shoulder",
        "left big toe": "l_big_toe",
        "MidHip": "pelvis",
        "head_top": "head_top",
        "forehead": "mpii_head_top",
        "hip": None,
        "left_nose": None,
        "tail": None,
    }
    assert {name: find_joint(name) for name in names} == names


def test_names_in_natural_order():
    assert sorted(["f_10", "f_9", "f_1"], key=natural_order) == ["f_1", "f_9", "f_10"]


def test_long_arrays_are_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("tf_pose3d.inference.formats.source._BLOCK", 64)
    content = [{"number": number, "text": "é" * number, "inner": [1, {"a": None}]} for number in range(60)]
    path = tmp_path / "long.json"
    path.write_text(" \n" + json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    assert list(Source(path).items()) == content
    (tmp_path / "none.json").write_text("[ ]")
    assert list(Source(tmp_path / "none.json").items()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ('[{"image_id": 1, "keypoints": [1, 2', "is cut off at line 1, character 35"),
        ('[{"image_id": 1,\n "keypoints": []},\n {"image_id"', "is cut off at line 3"),
        ('[{"image_id": 1, "keypoints": [1 2]}]', "is damaged at line 1, character 33"),
        ('{"people": [{"pose_keypoints_2d": [', "is cut off at line 1"),
        ('[{"a": 1}]', "none of the known formats .*its first element has a"),
        ('[{"image_id": 1, "keypoints": [1, 2, 3]}]', "has 1 joints, expected 17"),
        ('[{"image_id": "x", "keypoints": ' + str([0.5] * 51) + "}]", "no number that tells the frame"),
        ("hello", "none of the known formats"),
        ("scorer,a\nbodyparts,tail\ncoords,x\n0,1", "none of its body parts .tail. has a known name"),
        ("scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\n0,1\n", "line 4 has 2 columns, expected 3"),
        ("scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\n0,1,z\n", "line 4: 'z' is no number"),
        ("scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\n", "no frames, only headings"),
    ],
)
def test_bad_files(text, message, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(Pose3DError, match=message) as error:
        read_keypoints(path)
    assert "bad.json" in str(error.value)


def test_changing_number_of_joints(tmp_path):
    detections = [{"image_id": i, "keypoints": [0.5] * (51 if i < 5 else 48)} for i in range(9)]
    (tmp_path / "x.json").write_text(json.dumps(detections))
    with pytest.raises(Pose3DError, match="detection 5: 16 keypoints, expected 17"):
        read_keypoints(tmp_path / "x.json")


def test_confidence_above_one(tmp_path):
    values = np.tile([10.0, 20.0, 0.5], 17)
    values[5] = 73
    (tmp_path / "x.json").write_text(json.dumps([{"image_id": 0, "keypoints": values.tolist()}]))
    with pytest.raises(Pose3DError, match="detection 0: a confidence of 73, expected 0 to 1"):
        read_keypoints(tmp_path / "x.json")


def test_arrays_say_their_layout(tmp_path):
    points = made_up("coco_17")
    np.save(tmp_path / "a.npy", points)
    with pytest.raises(Pose3DError, match=r"17 joints, expected .* layouts with 17: h36m_17.*coco_17"):
        read_keypoints(tmp_path / "a.npy")
    with pytest.raises(Pose3DError, match=r"unknown joint layout 'coko'.*Known: .*coco_17"):
        read_keypoints(tmp_path / "a.npy", options=ReadOptions(layout="coko"))
    with pytest.raises(Pose3DError, match="has 17 joints, but --layout openpose_25 has 25"):
        read_keypoints(tmp_path / "a.npy", options=ReadOptions(layout="openpose_25"))
    video = read_keypoints(tmp_path / "a.npy", options=ReadOptions(layout="coco_17"))
    np.testing.assert_array_equal(dense_keypoints(video.people[0], 12)[..., :2], points[..., :2])
    np.savez(tmp_path / "b.npz", pose_2d=points, joints=get_skeleton("coco_17").joints)
    assert read_keypoints(tmp_path / "b.npz").skeleton.name == "coco_17"
    np.save(tmp_path / "c.npy", points[0])
    with pytest.raises(Pose3DError, match=r"shape \(17, 3\), expected \(frames, joints, 2 or 3\)"):
        read_keypoints(tmp_path / "c.npy", options=ReadOptions(layout="coco_17"))


def test_videos_of_a_custom_data_set(tmp_path):
    views = [made_up("coco_17")[..., :2]]
    content = {"a.mp4": {"custom": views}, "b.mp4": {"custom": [views[0] + 1]}}
    np.savez(tmp_path / "x.npz", positions_2d=np.array(content, object))
    with pytest.raises(Pose3DError, match=r"holds the videos a.mp4, b.mp4; give one by --recording"):
        read_keypoints(tmp_path / "x.npz")
    video = read_keypoints(tmp_path / "x.npz", options=ReadOptions(recording="b.mp4"))
    np.testing.assert_allclose(dense_keypoints(video.people[0], 12)[..., :2], views[0] + 1, rtol=1e-6)


def test_overriding_the_format(tmp_path):
    path = writers.write("COCO results", tmp_path, made_up("coco_17"), 1000, 800, 25)
    assert read_keypoints(path, "alphapose").format == "alphapose"
    with pytest.raises(Pose3DError, match="is no CSV file"):
        read_keypoints(path, "deeplabcut")
    with pytest.raises(Pose3DError, match="unknown input format 'kinect', expected one of videopose3d"):
        read_keypoints(path, "kinect")


def test_folders_and_binary_files(tmp_path):
    with pytest.raises(Pose3DError, match=r"a folder without \.json files"):
        read_keypoints(tmp_path)
    (tmp_path / "x.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(Pose3DError, match="or a folder of JSON files, or a video"):
        read_keypoints(tmp_path / "x.mp4")
    with pytest.raises(Pose3DError, match=r"nothing\.json does not exist"):
        read_keypoints(tmp_path / "nothing.json")
    (tmp_path / "latin.json").write_bytes(b'[{"image_id": "\xe9"}]')
    with pytest.raises(Pose3DError, match=r"no UTF-8 text"):
        read_keypoints(tmp_path / "latin.json")
