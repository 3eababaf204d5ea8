"""Networks of one laboratory say when a clip looks unlike it."""

from __future__ import annotations

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.camera import project_pixels
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.laboratory import laboratory_warning
from tf_pose3d.models.loading import build_model, save_model


@pytest.fixture(scope="module")
def recordings():
    """Every action of two people, from all sides."""
    return synthetic_sequences(["S9", "S5"], frames=60, skeleton="h36m_17")


def said(recording, keypoints=None, poses=None, dataset="h36m", backwards=False, by_box=False):
    camera = recording.camera
    points = recording.pose_2d if keypoints is None else keypoints
    lifted = recording.pose_3d if poses is None else poses
    size = camera.width, camera.height
    return laboratory_warning(dataset, points, lifted, recording.skeleton, size, backwards, by_box)


def test_nothing_is_said_of_the_laboratory_itself(recordings):
    for recording in recordings:
        assert said(recording) is None, recording.label


def test_what_looks_unlike_it(recordings):
    recording = recordings[0]
    far = recording.pose_3d + np.array([0, 0, 14], np.float32)
    small = project_pixels(far, recording.camera)
    assert "covers " in said(recording, keypoints=small)
    assert said(recording, keypoints=small, by_box=True) is None
    turn = np.radians(60)
    down = np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    assert "camera were pitched" in said(recording, poses=recording.pose_3d @ down.T)
    breathing = recording.pose_3d * np.linspace(0.7, 1.3, 60)[:, None, None]
    assert "limbs change their length by" in said(recording, poses=breathing)
    assert "limbs are 0.5" in said(recording, poses=0.55 * recording.pose_3d)
    assert "knees bend backwards" in said(recording, backwards=True)


def test_only_networks_of_laboratories_and_clips_of_some_length(recordings):
    recording = recordings[0]
    assert said(recording, backwards=True, dataset="motion") is None
    assert said(recording, backwards=True, dataset=None) is None
    short = slice(0, 5)
    assert said(recording, recording.pose_2d[short], recording.pose_3d[short], backwards=True) is None


def test_a_lifter_says_it_once(tmp_path, recordings):
    save_model(build_model("martinez"), tmp_path / "x.h5")
    lifter = tf_pose3d.load(tmp_path / "x.h5")
    recording = recordings[0]
    sizes = recording.camera.width, recording.camera.height, recording.fps
    told = [
        [line for line in lifter.lift(recording.pose_2d, *sizes, "h36m_17").warnings if "laboratory" in line]
        for _ in range(2)
    ]
    # An untrained network's limbs have no length.
    assert len(told[0]) == 1
    assert "general" in told[0][0]
    assert told[1] == []
