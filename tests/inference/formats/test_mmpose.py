"""MMPose's predictions, of version 0 and 1."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)

H36M_NAMES = [
    "root",
    "right_hip",
    "right_knee",
    "right_foot",
    "left_hip",
    "left_knee",
    "left_foot",
    "spine",
    "thorax",
    "neck_base",
    "head",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
]
MPII_NAMES = [
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "thorax",
    "upper_neck",
    "head_top",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
]


def info(points, scores=0.9, first=0, **facts):
    """`instance_info` as the inferencer of version 1 dumps it."""
    return [
        {
            "frame_id": first + frame,
            "instances": [
                {
                    "keypoints": pose.tolist(),
                    "keypoint_scores": (np.zeros(len(pose)) + scores).tolist(),
                    "bbox": [[1.0, 2.0, 3.0, 4.0]],
                    "bbox_score": 0.9,
                    **facts,
                }
            ],
        }
        for frame, pose in enumerate(points)
    ]


def meta(names):
    return {"keypoint_id2name": {str(place): name for place, name in enumerate(names)}}


def test_results_of_version_0(tmp_path, coco):
    """`pose_results` of 0.x: an array of frames, each an array of people whose keypoints hold the scores."""
    frames = [
        [{"bbox": [0, 0, 1, 1, 0.9], "keypoints": np.c_[pose, np.full(17, 0.6)].tolist(), "track_id": 3}]
        for pose in coco
    ]
    frames.insert(2, [])
    video = made_up.read(made_up.write_json(tmp_path / "pose_results.json", frames))
    assert (video.format, video.people[0].id, video.num_frames) == ("mmpose", "3", made_up.FRAMES + 1)
    assert video.people[0].frames.tolist() == [0, 1, *range(3, made_up.FRAMES + 1)]
    np.testing.assert_allclose(video.people[0].keypoints[..., :2], coco, atol=1e-3)
    np.testing.assert_allclose(video.people[0].keypoints[..., 2], 0.6, atol=1e-6)


@pytest.mark.parametrize(("names", "layout"), [(H36M_NAMES, "h36m_17"), (MPII_NAMES, "mpii_16")])
def test_the_names_that_the_file_states_are_obeyed(tmp_path, names, layout):
    points = made_up.person(layout)
    content = {"meta_info": meta(names), "instance_info": info(points)}
    video = made_up.read(made_up.write_json(tmp_path / "predictions.json", content))
    assert video.skeleton is get_skeleton(layout)
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)


def test_simcc_peaks_are_no_mistake(tmp_path, coco):
    """RTMPose's and RTMW's scores are peaks of unnormalised SimCC vectors, 0.3 to 8."""
    scores = np.linspace(0.25, 8, 17)
    video = made_up.read(made_up.write_json(tmp_path / "p.json", {"instance_info": info(coco, scores)}))
    got = made_up.dense(video)
    np.testing.assert_allclose(got[..., :2], coco, atol=1e-3)
    np.testing.assert_allclose(got[0, :, 2], np.minimum(scores, 1), atol=1e-6)


def test_frames_out_of_order_and_from_1(tmp_path, coco):
    content = {"instance_info": info(coco, first=1)[::-1]}
    video = made_up.read(made_up.write_json(tmp_path / "p.json", content))
    assert video.num_frames == made_up.FRAMES
    assert video.numbers().tolist() == list(range(1, made_up.FRAMES + 1))
    assert "frames are numbered from 1: row n is frame n + 1" in video.notes
    np.testing.assert_allclose(made_up.dense(video)[..., :2], coco, atol=1e-3)


def test_advice_never_names_a_layout_of_the_same_number_alone(tmp_path):
    points = made_up.person("mpii_16")[:, :14]
    with pytest.raises(Pose3DError, match="has 14 joints, expected") as caught:
        made_up.read(made_up.write_json(tmp_path / "p.json", {"instance_info": info(points)}))
    assert "h36m" not in str(caught.value)


def test_points_in_space_are_refused(tmp_path, coco):
    """The 3D inferencer writes the same JSON with three coordinates for each joint."""
    people = [
        {"keypoints": np.concatenate([pose, pose[:, :1]], 1).tolist(), "keypoint_scores": [0.9] * 17}
        for pose in coco
    ]
    frames = [{"frame_id": number, "instances": [one]} for number, one in enumerate(people)]
    path = made_up.write_json(tmp_path / "x.json", {"meta_info": {}, "instance_info": frames})
    with pytest.raises(
        Pose3DError, match="frame 0: 3 numbers for each joint beside its score: these are points"
    ):
        made_up.read(path)


def test_hugging_face_s_vitpose(tmp_path, coco):
    """`post_process_pose_estimation` of each frame; its scores are `scores`."""
    scores = np.random.default_rng(0).uniform(0.2, 0.95, coco.shape[:2])
    frames = [
        [
            {
                "keypoints": pose.tolist(),
                "scores": score.tolist(),
                "labels": list(range(17)),
                "bbox": [1, 2, 3, 4],
            }
        ]
        for pose, score in zip(coco, scores, strict=True)
    ]
    found = made_up.dense(made_up.read(made_up.write_json(tmp_path / "x.json", frames)))
    np.testing.assert_allclose(found[..., :2], coco, atol=1e-3)
    np.testing.assert_allclose(found[..., 2], scores, atol=1e-6)
