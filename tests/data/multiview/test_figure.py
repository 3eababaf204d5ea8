"""The drawn figure lies where the camera sees its joints."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.multiview.figure import Outfit, View, background, draw_figure
from tf_pose3d.data.multiview.synthetic import synthetic_records, synthetic_views


@pytest.fixture(scope="module")
def records():
    return synthetic_records("S1", frames=8, actions=["Walking", "Sitting"])


def test_a_single_limb_is_where_geometry_says():
    """A sphere's outline, seen straight on, is a disc of the projected radius."""
    view = View(np.eye(3), np.zeros(3), np.array([100.0, 100.0, 63.5, 63.5]), (128, 128))
    joints = np.tile([0.0, 0.0, 2000.0], (17, 1))
    outfit = Outfit(np.full((14, 3), 255.0), np.full(14, 300.0))
    scene = np.zeros((128, 128, 3), np.float32)
    drawn = draw_figure(joints, view, outfit, scene).any(axis=2)
    y, x = np.mgrid[:128, :128]
    # Rays touch the sphere at the angle whose sine is radius over distance.
    radius = 100 * np.tan(np.arcsin(300 / 2000))
    expected = np.hypot(x - 63.5, y - 63.5) < radius
    assert (drawn != expected).mean() < 1e-4


def test_the_nearer_part_hides_the_farther():
    view = View(np.eye(3), np.zeros(3), np.array([100.0, 100.0, 31.5, 31.5]), (64, 64))
    joints = np.tile([0.0, 0.0, 3000.0], (17, 1))
    colours = np.zeros((14, 3))
    colours[:, 2] = 255
    # The right forearm, the last part, reaches from the others to the right wrist.
    colours[-1] = [255, 0, 0]
    joints[16] = [0, 0, 1500]
    outfit = Outfit(colours, np.full(14, 100.0))
    picture = draw_figure(joints, view, outfit, np.zeros((64, 64, 3), np.float32))
    assert picture[31, 31, 0] > 0
    assert picture[31, 31, 2] == 0


def test_every_joint_lies_on_the_figure(records):
    scenes = [background(view) for view in synthetic_views()]
    hits = []
    for index in range(0, len(records), 5):
        changed = np.abs(records.images.read(index) - scenes[records.view[index]]).max(axis=2) > 4
        x, y = np.rint(records.keypoints_2d[index]).astype(int).T
        hits.append(changed[y, x])
    # Single joints may lie at the rim of a part; nearly all are inside.
    assert np.mean(hits) > 0.97


def test_images_are_small_coloured_and_the_same_every_time(records):
    first, again = records.images.read(3), synthetic_records("S1", frames=8, actions=["Walking", "Sitting"])
    assert first.dtype == np.uint8
    assert first.shape == (256, 256, 3)
    np.testing.assert_array_equal(first, again.images.read(3))
    other = synthetic_records("S1", seed=1, frames=8, actions=["Walking", "Sitting"])
    assert not np.array_equal(first, other.images.read(3))


def test_a_recording_does_not_depend_on_the_others(records):
    alone = synthetic_records("S1", frames=8, actions=["Sitting"])
    assert alone.actions == ("Sitting",)
    index = records.actions.index("Sitting")
    np.testing.assert_array_equal(alone.pose_3d, records.pose_3d[records.recording == index])
