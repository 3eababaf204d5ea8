"""AlphaPose's three forms. `image_id` and `idx` as its `pPose_nms.write_json` has them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)

SCORES = np.linspace(0.4, 1.0, 17)


def detections(points, names="{}.jpg", **facts):
    return [
        {
            "image_id": names.format(frame),
            "category_id": 1,
            "keypoints": made_up.flat(pose, SCORES),
            "score": 2.5,
            "box": [1.0, 2.0, 3.0, 4.0],
            **facts,
        }
        for frame, pose in enumerate(points)
    ]


@pytest.mark.parametrize("idx", [0, 0.0, [0.0], [[0.0], [0.0]], [[0.0]]])
def test_everybody_is_0_without_tracking(tmp_path, coco, idx):
    other = made_up.person("coco_17", x=150, seed=1)
    mixed = [
        one
        for pair in zip(detections(coco, idx=idx), detections(other, idx=idx), strict=True)
        for one in pair
    ]
    video = made_up.read(made_up.write_json(tmp_path / "alphapose-results.json", mixed))
    assert video.format == "alphapose"
    assert len(video.people) == 2
    np.testing.assert_allclose(made_up.dense(video, 0)[..., :2], coco, atol=1e-3)
    np.testing.assert_allclose(made_up.dense(video, 1)[..., :2], other, atol=1e-3)
    np.testing.assert_allclose(made_up.dense(video)[0, :, 2], SCORES, atol=1e-6)


def test_somebody_who_enters_late_keeps_the_frames(tmp_path, coco):
    late = detections(coco, idx=1)[3:]
    video = made_up.read(made_up.write_json(tmp_path / "a.json", late))
    assert video.num_frames == made_up.FRAMES
    assert video.people[0].frames.tolist() == list(range(3, made_up.FRAMES))
    assert video.notes == ("the first frame listed is 3: the rows before it are empty",)


def test_an_id_that_another_goes_on_from_is_said(tmp_path, coco):
    found = detections(coco)
    for frame, one in enumerate(found):
        one["idx"] = 1 if frame < 4 else 7
    video = made_up.read(made_up.write_json(tmp_path / "a.json", found))
    assert [one.id for one in video.people] == ["1", "7"]
    from tf_pose3d.inference.people import handover_warnings

    (said,) = handover_warnings(video, video.people[:1])
    assert said.startswith("person 1 ends at frame 3, and another id, 7, continues there from frame 4")


def openpose_18(points, neck):
    """The 18 places that `--format cmu` and `open` write of COCO's 17 and what stands at place 17."""
    with_neck = np.concatenate([points, neck[:, None]], axis=1)
    return with_neck[:, [0, 17, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]]


@pytest.mark.parametrize(
    ("key", "inner", "version"),
    [("bodies", "joints", "AlphaPose v0.3"), ("people", "pose_keypoints_2d", "AlphaPose v0.2")],
)
def test_cmu_and_open(tmp_path, coco, key, inner, version):
    # Of 26 joints the head's top stands where the neck should: the shoulders' middle is meant.
    wrong = coco[:, 0] - [0, 40]
    places = openpose_18(coco, wrong)
    scores = np.full(18, 0.8)
    frames = {
        f"{frame}.jpg": {"version": version, key: [{inner: made_up.flat(pose, scores)}]}
        for frame, pose in enumerate(places)
    }
    frames["8.jpg"] = {"version": version, key: []}
    video = made_up.read(made_up.write_json(tmp_path / "alphapose-results.json", frames))
    assert (video.format, video.skeleton.name, video.num_frames) == (
        "alphapose",
        "openpose_18",
        made_up.FRAMES + 1,
    )
    got = made_up.dense(video)
    for name, column in (("l_wrist", 9), ("r_ankle", 16), ("nose", 0), ("l_ear", 3)):
        np.testing.assert_allclose(
            got[: made_up.FRAMES, video.skeleton.index(name), :2], coco[:, column], atol=1e-3
        )
    neck = coco[:, 5:7].mean(axis=1)
    np.testing.assert_allclose(got[: made_up.FRAMES, video.skeleton.index("neck"), :2], neck, atol=1e-3)


def test_separate_files(tmp_path, coco):
    places = openpose_18(coco, coco[:, 5:7].mean(axis=1))
    for frame, pose in enumerate(places):
        content = {"version": "AlphaPose v0.3", "bodies": [{"joints": made_up.flat(pose, np.ones(18))}]}
        made_up.write_json(tmp_path / f"{frame}.json", content)
    video = made_up.read(tmp_path)
    assert video.format == "alphapose"
    np.testing.assert_allclose(
        made_up.dense(video)[:, video.skeleton.index("l_wrist"), :2], coco[:, 9], atol=1e-3
    )


def test_motionbert_s_halpe_26(tmp_path):
    """MotionBERT's in-the-wild road: `--detbatch`, Halpe's 26 joints, one made_up.person an image."""
    points = made_up.person("halpe_26")
    found = [
        {
            "image_id": f"{frame}.jpg",
            "category_id": 1,
            "keypoints": made_up.flat(pose, np.full(26, 0.7)),
            "score": 3.1,
            "idx": 1,
        }
        for frame, pose in enumerate(points)
    ]
    video = made_up.read(made_up.write_json(tmp_path / "alphapose-results.json", found))
    assert video.skeleton.name == "halpe_26"
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)
