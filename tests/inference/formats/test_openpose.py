"""OpenPose's JSON, and that of the tools which write it with other joints."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


def write_folder(folder, people_of, name="clip_{:012d}_keypoints.json", **facts):
    for frame in range(made_up.FRAMES):
        content = {"version": 1.3, "people": people_of(frame), **facts}
        made_up.write_json(folder / name.format(frame), content)
    return folder


def one(points, frame, score=0.8, **facts):
    return [
        {
            "person_id": [-1],
            "pose_keypoints_2d": made_up.flat(points[frame], np.full(len(points[0]), score)),
            **facts,
        }
    ]


@pytest.mark.parametrize("layout", ["openpose_25", "openpose_25b", "openpose_18", "halpe_26"])
def test_layouts_are_told_by_their_joints(tmp_path, layout):
    points = made_up.person(layout)
    video = made_up.read(write_folder(tmp_path, lambda frame: one(points, frame)))
    assert video.skeleton.name == layout
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)


def test_pose2sim_s_frames_without_anybody(tmp_path):
    """Sports2D and Pose2Sim write nobody as no people, empty keypoints, or NaN in all of them."""
    points = made_up.person("halpe_26")

    def people(frame):
        nobody = [{"person_id": [-1], "pose_keypoints_2d": [], "face_keypoints_2d": []}]
        lost = [{"person_id": [-1], "pose_keypoints_2d": [float("nan")] * 78}]
        return (
            {2: [], 3: nobody, 4: lost, 5: [{}]}.get(frame) if frame in (2, 3, 4, 5) else one(points, frame)
        )

    video = made_up.read(write_folder(tmp_path, people))
    assert video.num_frames == made_up.FRAMES
    assert video.people[0].frames.tolist() == [0, 1, 6, 7]


@pytest.mark.parametrize("fractions", [False, True])
def test_controlnet_s_canvas_is_the_size(tmp_path, fractions):
    """Its annotators write an array of frames with the canvas' size, in pixels or in fractions of it."""
    points = made_up.person("openpose_18")
    size = np.array([made_up.WIDTH, made_up.HEIGHT])
    frames = [
        {
            "people": [
                {
                    "pose_keypoints_2d": made_up.flat(pose / size if fractions else pose, np.ones(18)),
                    "face_keypoints_2d": None,
                    "hand_left_keypoints_2d": None,
                    "hand_right_keypoints_2d": None,
                }
            ],
            "canvas_height": made_up.HEIGHT,
            "canvas_width": made_up.WIDTH,
        }
        for pose in points
    ]
    video = made_up.read(made_up.write_json(tmp_path / "poses.json", frames))
    assert (video.width, video.height) == (made_up.WIDTH, made_up.HEIGHT)
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)
    frames[3]["canvas_width"] = 640
    with pytest.raises(
        Pose3DError, match=r"frame 3: a canvas of 640x800, expected 1000x800 as in the frames"
    ):
        made_up.read(made_up.write_json(tmp_path / "poses.json", frames))


def test_numbers_in_names(tmp_path):
    """The number that changes is the frame: a constant one behind it is a camera's or a size."""
    points = made_up.person("openpose_25")
    name = "cam01_{:04d}_rgb_640_keypoints.json"
    video = made_up.read(write_folder(tmp_path, lambda frame: one(points, frame), name))
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)


def test_a_cut_keeps_its_numbers(tmp_path):
    points = made_up.person("openpose_25")
    for frame in range(made_up.FRAMES):
        content = {"people": one(points, frame)}
        (tmp_path / f"clip_{9000 + frame}_keypoints.json").write_text(json.dumps(content))
    video = made_up.read(tmp_path)
    assert video.num_frames == made_up.FRAMES
    assert video.numbers()[0] == 9000
    assert video.warnings == ("frames are numbered from 9000: row n of the output is frame n + 9000",)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ("fractions", "all coordinates are fractions of the image .*; give its size by --width and --height"),
        ("normalised", "are no pixels: normalised ones"),
    ],
)
def test_keypoint_scale(tmp_path, scale, message):
    """`--keypoint_scale 3` writes fractions of the image, 4 numbers from -1 to 1."""
    points = made_up.person("openpose_25")
    size = np.array([made_up.WIDTH, made_up.HEIGHT])
    held = points / size if scale == "fractions" else points / size * 2 - 1
    for frame, pose in enumerate(held):
        person = {"person_id": [-1], "pose_keypoints_2d": made_up.flat(pose, np.full(25, 0.8))}
        made_up.write_json(tmp_path / f"x_{frame:012}_keypoints.json", {"version": 1.3, "people": [person]})
    with pytest.raises(Pose3DError, match=message):
        made_up.read(tmp_path)
    if scale == "fractions":
        video = made_up.read(tmp_path, width=made_up.WIDTH, height=made_up.HEIGHT)
        np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)
        assert video.warnings == ("all coordinates are fractions: taken as such of an image of 1000 x 800",)
    else:
        with pytest.raises(Pose3DError, match=message):
            made_up.read(tmp_path, width=made_up.WIDTH, height=made_up.HEIGHT)


def test_frames_in_one_array_keep_their_numbers(tmp_path):
    points = made_up.person("openpose_18")
    frames = [
        {"frame": 3 * number, "people": [{"pose_keypoints_2d": made_up.flat(pose, np.full(18, 0.8))}]}
        for number, pose in enumerate(points)
    ]
    video = made_up.read(made_up.write_json(tmp_path / "x.json", frames))
    assert video.people[0].frames.tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
