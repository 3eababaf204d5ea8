"""VideoPose3D's `infer_video_d2.py`."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


def test_heat_map_scores_are_no_probabilities(tmp_path, coco):
    """Rows x, y, logit, score; scores from 0.01 to 4.7, of which VideoPose3D takes no notice."""
    random = np.random.default_rng(0)
    boxes, keypoints = (np.empty(made_up.FRAMES, object) for _ in range(2))
    for frame, pose in enumerate(coco):
        score = random.uniform(0.02, 0.28, 17)
        score[:2] = 4.7, 1.3
        person = np.stack([pose[:, 0], pose[:, 1], np.log(score), score])[None].astype(np.float32)
        boxes[frame] = [[], np.array([[0, 0, 1, 1, 0.99]], np.float32)]
        keypoints[frame] = [[], person]
    boxes[5], keypoints[5] = [[], np.zeros((0, 5))], [[], []]
    path = tmp_path / "clip.mp4.npz"
    np.savez_compressed(
        path, boxes=boxes, segments=np.full(8, None), keypoints=keypoints, metadata={"w": 1000, "h": 800}
    )
    video = made_up.read(path)
    assert (video.format, video.width, video.height) == ("detectron2", 1000, 800)
    got = made_up.dense(video)
    keep = [frame for frame in range(made_up.FRAMES) if frame != 5]
    np.testing.assert_allclose(got[keep][..., :2], coco[keep], atol=1e-3)
    assert got[keep][..., 2].min() > 0.75
    assert np.isnan(got[5]).all()


def test_true_and_false_are_no_coordinates(tmp_path):
    boxes, keypoints = (np.empty(2, object) for _ in range(2))
    for frame in range(2):
        boxes[frame] = [[], np.zeros((1, 5))]
        keypoints[frame] = [[], np.ones((1, 4, 17), bool)]
    path = tmp_path / "clip.mp4.npz"
    np.savez(
        path, boxes=boxes, segments=np.full(2, None), keypoints=keypoints, metadata={"w": 1000, "h": 800}
    )
    with pytest.raises(Pose3DError, match=r"frame 0: keypoints of bool, expected numbers"):
        made_up.read(path)
