"""Ultralytics: `Results.to_json`, and the labels of `save_txt`."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


def summary(pose, visible, **facts):
    """One made_up.person of `Results.summary`."""
    return {
        "name": "person",
        "class": 0,
        "confidence": 0.91,
        "box": {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0},
        **facts,
        "keypoints": {"x": pose[:, 0].tolist(), "y": pose[:, 1].tolist(), "visible": visible},
    }


def test_json_of_each_frame(tmp_path, coco):
    visible = np.linspace(0.1, 0.99, 17).tolist()
    frames = [[summary(pose, visible, track_id=1)] for pose in coco]
    frames[4] = []
    video = made_up.read(made_up.write_json(tmp_path / "results.json", frames))
    assert (video.format, video.num_frames, video.people[0].id) == ("ultralytics", made_up.FRAMES, "1")
    got = made_up.dense(video)
    keep = [frame for frame in range(made_up.FRAMES) if frame != 4]
    np.testing.assert_allclose(got[keep][..., :2], coco[keep], atol=1e-3)
    np.testing.assert_allclose(got[0, :, 2], visible, atol=1e-6)
    assert np.isnan(got[4]).all()
    # Users put the texts themselves into an array.
    texts = made_up.write_json(tmp_path / "texts.json", [json.dumps(frame) for frame in frames])
    np.testing.assert_array_equal(made_up.dense(made_up.read(texts)), got)


def test_undetected_joints_lie_at_zero(tmp_path, coco):
    """Without visibilities (a model of two numbers a joint) what is not found is 0, 0."""
    coco[2, 9] = 0
    frames = [[summary(pose, None)] for pose in coco]
    for frame in frames:
        del frame[0]["keypoints"]["visible"]
    got = made_up.dense(made_up.read(made_up.write_json(tmp_path / "r.json", frames)))
    assert np.isnan(got[2, 9]).all()
    assert np.isfinite(np.delete(got.reshape(-1, 3), 2 * 17 + 9, axis=0)).all()


@pytest.mark.parametrize("with_scores", [True, False])
@pytest.mark.parametrize("behind", [[], [0.93], [3], [0.93, 3]])
def test_labels(tmp_path, coco, with_scores, behind):
    """`clip_N.txt`, from 1: class, box, joints as fractions, then confidence and id where asked for."""
    scores = np.full(17, 0.75)
    for frame, pose in enumerate(coco):
        if frame == 3:
            continue
        joints = pose / (made_up.WIDTH, made_up.HEIGHT)
        if with_scores:
            joints = np.c_[joints, scores]
        values = [0, 0.5, 0.5, 0.2, 0.6, *joints.ravel().tolist(), *behind]
        (tmp_path / f"clip_{frame + 1}.txt").write_text(
            " ".join(f"{value:g}" if isinstance(value, int) else f"{value:.6f}" for value in values) + "\n"
        )
    with pytest.raises(Pose3DError, match="fractions of the image; give its size"):
        made_up.read(tmp_path)
    video = made_up.read(tmp_path, width=made_up.WIDTH, height=made_up.HEIGHT)
    assert video.num_frames == made_up.FRAMES
    got = made_up.dense(video)
    assert np.isnan(got[3]).all()
    keep = [frame for frame in range(made_up.FRAMES) if frame != 3]
    np.testing.assert_allclose(got[keep][..., :2], coco[keep], atol=2e-3)
    np.testing.assert_allclose(got[keep][..., 2], 0.75 if with_scores else 1, atol=1e-6)
    assert video.people[0].id == ("3" if 3 in behind else "0")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("clip_{}.txt", 2),  # a video's: they count from 1, and who is not there has no file
        ("img_{:05}.txt", 3),  # images': they are called as they are
    ],
)
def test_labels_of_somebody_who_enters_late(tmp_path, coco, name, row):
    for frame in range(3, 3 + len(coco)):
        joints = coco[frame - 3] / (made_up.WIDTH, made_up.HEIGHT)
        line = " ".join(f"{value:.6f}" for value in [0, 0.5, 0.5, 0.2, 0.6, *joints.ravel()])
        (tmp_path / name.format(frame)).write_text(line + "\n")
    video = made_up.read(tmp_path, width=made_up.WIDTH, height=made_up.HEIGHT)
    assert video.people[0].frames[0] == row
    assert video.numbers()[row] == 3
    assert "the first frame listed is 3: the rows before it are empty" in video.notes
