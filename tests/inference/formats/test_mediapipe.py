"""MediaPipe's landmarks in the forms in which people save them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)

SIZE = {"width": made_up.WIDTH, "height": made_up.HEIGHT}


@pytest.fixture
def body():
    return made_up.person("mediapipe_33")


def marks(pose, visibility=0.95, pixels=False, **facts):
    x, y = (pose / (1 if pixels else (made_up.WIDTH, made_up.HEIGHT))).T
    return [
        {"x": float(a), "y": float(b), "z": -0.1, "visibility": visibility, **facts}
        for a, b in zip(x, y, strict=True)
    ]


def test_message_to_dict(tmp_path, body):
    """protobuf's `MessageToDict(results.pose_landmarks)` of each frame."""
    video = made_up.read(
        made_up.write_json(tmp_path / "l.json", [{"landmark": marks(pose)} for pose in body]), **SIZE
    )
    np.testing.assert_allclose(made_up.dense(video)[..., :2], body, atol=1e-3)
    np.testing.assert_allclose(made_up.dense(video)[..., 2], 0.95, atol=1e-6)


def test_pixels_already(tmp_path, body):
    video = made_up.read(
        made_up.write_json(tmp_path / "l.json", [marks(pose, pixels=True) for pose in body]), **SIZE
    )
    np.testing.assert_allclose(made_up.dense(video)[..., :2], body, atol=1e-3)
    assert video.warnings == ("its coordinates are no fractions of the image: taken as pixels",)


@pytest.mark.parametrize(
    "key",
    ["frame", "frame_number", "frame_id", "frameNumber", "FrameIndex", "frame_num", "frame_no", "index"],
)
def test_frames_keep_their_numbers(tmp_path, body, key):
    frames = [
        {key: frame, "landmarks": marks(pose)} for frame, pose in enumerate(body) if frame not in (2, 3, 4)
    ]
    video = made_up.read(made_up.write_json(tmp_path / "l.json", frames), **SIZE)
    assert video.num_frames == made_up.FRAMES
    assert video.people[0].frames.tolist() == [0, 1, 5, 6, 7]
    np.testing.assert_allclose(made_up.dense(video)[5:, :, :2], body[5:], atol=1e-3)


def test_logits(tmp_path, body):
    """Some versions give visibility as its logit."""
    frames = [{"pose_landmarks": [marks(pose, 3.0)]} for pose in body]
    frames[1]["pose_landmarks"][0][9]["visibility"] = -4.0
    got = made_up.dense(made_up.read(made_up.write_json(tmp_path / "l.json", frames), **SIZE))
    np.testing.assert_allclose(got[0, 0, 2], 1 / (1 + np.exp(-3)), atol=1e-6)
    np.testing.assert_allclose(got[1, 9, 2], 1 / (1 + np.exp(4)), atol=1e-6)
    np.testing.assert_allclose(got[..., :2], body, atol=1e-3)


def test_the_video_s_size_serves(tmp_path, body):
    path = made_up.write_json(tmp_path / "l.json", [marks(pose) for pose in body])
    video = made_up.read(path, video_width=made_up.WIDTH, video_height=made_up.HEIGHT)
    np.testing.assert_allclose(made_up.dense(video)[..., :2], body, atol=1e-3)
    # What the video's size is must come from whoever gave it.
    assert video.width is None


def test_times_tell_of_frames_that_were_dropped(tmp_path, body):
    """The tasks' live stream drops frames, and its results hold times alone."""
    times = [0, 33, 67, 100, 200, 233, 300, 333]
    frames = [
        {"timestamp_ms": time, "pose_landmarks": [marks(pose)]}
        for time, pose in zip(times, body, strict=True)
    ]
    video = made_up.read(made_up.write_json(tmp_path / "l.json", frames), **SIZE)
    assert video.people[0].frames.tolist() == [0, 1, 2, 3, 6, 7, 9, 10]
    assert video.warnings == (
        "its frames have times but no numbers, and some are missing: rows go by the times",
    )
    for frame, time in zip(frames, [0, 33, 70, 95, 133, 170, 200, 240], strict=True):
        frame["timestamp_ms"] = time
    video = made_up.read(made_up.write_json(tmp_path / "l.json", frames), **SIZE)
    assert video.num_frames == made_up.FRAMES
    assert not video.warnings
