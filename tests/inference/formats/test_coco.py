"""COCO's results and annotations, as detectors and labelling tools write them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


def results(points, ids=None, score=0.9):
    ids = range(len(points)) if ids is None else ids
    return [
        {
            "image_id": image,
            "category_id": 1,
            "keypoints": made_up.flat(pose, np.full(len(pose), score)),
            "score": 0.9,
        }
        for image, pose in zip(ids, points, strict=True)
    ]


@pytest.mark.parametrize("kind", [float, str, "{}.0".format, "{:06d}.jpg".format, "frame_{}_of_8".format])
def test_ids_as_tables_write_them(tmp_path, coco, kind):
    ids = [kind(frame) for frame in range(made_up.FRAMES)]
    video = made_up.read(made_up.write_json(tmp_path / "r.json", results(coco, ids)))
    np.testing.assert_allclose(made_up.dense(video)[..., :2], coco, atol=1e-3)


def test_a_peak_below_zero_is_a_missing_joint(tmp_path, coco):
    found = results(coco)
    found[4]["keypoints"][3 * 9 + 2] = -0.0008
    got = made_up.dense(made_up.read(made_up.write_json(tmp_path / "r.json", found)))
    assert np.isnan(got[4, 9]).all()
    assert np.isfinite(np.delete(got.reshape(-1, 3), 4 * 17 + 9, axis=0)).all()


def test_every_fifth_frame_is_said(tmp_path, coco):
    video = made_up.read(made_up.write_json(tmp_path / "r.json", results(coco, range(0, 40, 5))))
    assert video.num_frames == 36
    assert video.people[0].frames.tolist() == list(range(0, 36, 5))
    assert video.warnings[0].startswith("only one frame in 5 is there (numbers 0, 5, 10 ... 35)")


def test_scores_of_rsn_reach_1_28(tmp_path, coco):
    found = results(coco, score=1.28)
    got = made_up.dense(made_up.read(made_up.write_json(tmp_path / "r.json", found)))
    assert (got[..., 2] == 1).all()


def test_detectron2_s_own_results(tmp_path, coco):
    """`coco_instances_results.json`: scores of 0.01 to 4.7, low for most joints though they are good."""
    scores = np.tile(np.geomspace(0.03, 4.0, 17), (made_up.FRAMES, 1))
    found = [
        {"image_id": frame, "category_id": 1, "keypoints": made_up.flat(pose, score), "score": 0.99}
        for frame, (pose, score) in enumerate(zip(coco, scores, strict=True))
    ]
    video = made_up.read(made_up.write_json(tmp_path / "r.json", found))
    got = made_up.dense(video)
    np.testing.assert_allclose(got[..., :2], coco, atol=1e-3)
    assert got[..., 2].min() > 0.8
    assert (np.diff(got[0, :, 2]) > 0).all()
    assert "taken as Detectron2's" in video.notes[-1]


def test_categories_name_the_joints(tmp_path):
    points = made_up.person("mpii_16")
    names = [
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
    document = {
        "images": [
            {"id": frame, "width": 1000, "height": 800, "file_name": f"{frame}.jpg"} for frame in range(8)
        ],
        "annotations": results(points, score=2),
        "categories": [{"id": 1, "name": "person", "keypoints": names}],
    }
    video = made_up.read(made_up.write_json(tmp_path / "a.json", document))
    assert video.skeleton is get_skeleton("mpii_16")
    np.testing.assert_allclose(made_up.dense(video)[..., :2], points, atol=1e-3)


def test_two_images_of_one_id(tmp_path, coco):
    document = {
        "images": [{"id": 0, "width": 10, "height": 10}] * 2,
        "annotations": results(coco),
    }
    with pytest.raises(Pose3DError, match="two images have id 0"):
        made_up.read(made_up.write_json(tmp_path / "a.json", document))


@pytest.mark.parametrize(("step", "first"), [(1, 0), (1, 1), (10, 0), (1, 9000)])
def test_annotated_images_keep_the_numbers_in_their_names(tmp_path, coco, step, first):
    """Labelling tools (CVAT, COCO Annotator) number images by themselves; the frame is in the file's name."""
    names = [f"clip/frame_{first + step * frame:06d}.PNG" for frame in range(made_up.FRAMES)]
    images = [
        {"id": 70 - frame, "width": 1000, "height": 800, "file_name": name}
        for frame, name in enumerate(names)
    ]
    annotations = results(coco, [70 - frame for frame in range(made_up.FRAMES)], score=2)
    video = made_up.read(
        made_up.write_json(tmp_path / "a.json", {"images": images, "annotations": annotations})
    )
    assert video.people[0].frames.tolist() == [step * frame for frame in range(made_up.FRAMES)]
    assert video.numbers()[0] == first
    np.testing.assert_allclose(video.people[0].keypoints[..., :2], coco, atol=1e-3)
    assert bool(video.warnings) == (step > 1 or first > 1)


def test_pictures_of_a_data_set_are_taken_in_their_order(tmp_path, coco):
    names = [f"{number:012d}.jpg" for number in (139, 285, 632, 724, 776, 785, 802, 872397133)]
    images = [
        {"id": number, "width": 1000, "height": 800, "file_name": name} for number, name in enumerate(names)
    ]
    document = {"images": images, "annotations": results(coco, range(made_up.FRAMES), score=2)}
    video = made_up.read(made_up.write_json(tmp_path / "a.json", document))
    assert video.num_frames == made_up.FRAMES
    assert "are no frame numbers" in video.warnings[0]
