"""Cameras from a person who walks before them."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.calibration.people import calibrate_from_people, guessed_camera
from tf_pose3d.errors import Pose3DError

SPEC = importlib.util.spec_from_file_location("calibration_scene", Path(__file__).with_name("conftest.py"))
scene = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scene)


def off(cameras, part):
    """The same cameras with focal lengths that are wrong by a part, every second one the other way."""
    return [
        dataclasses.replace(
            camera,
            matrix=camera.matrix * [[1 + part * (-1) ** n, 1, 1], [1, 1 + part * (-1) ** n, 1], [1, 1, 1]],
            rotation=np.eye(3),
            translation=np.zeros(3),
        )
        for n, camera in enumerate(cameras)
    ]


def test_a_minute_of_walking_is_more_than_enough_and_ten_seconds_suffice(rig):
    poses = scene.walker(12, 6)
    keypoints = scene.seen(rig[:3], poses, 2.0, 0.1, np.random.default_rng(0))
    found = calibrate_from_people(keypoints, scene.SKELETON, off(rig[:3], 0.05), 1.78)
    angle, distance, scale = scene.differences(found.cameras, rig[:3])
    assert angle < 1
    assert distance < 0.02
    assert abs(scale - 1) < 0.03
    # z is up and the floor is at 0: heights come out as they are, wherever x and y begin.
    assert np.nanmedian(np.abs(found.poses[..., 2] - poses[..., 2])) < 0.03
    assert found.error < 2.5
    again = calibrate_from_people(keypoints, scene.SKELETON, off(rig[:3], 0.05), 1.78)
    np.testing.assert_array_equal(again.cameras[1].translation, found.cameras[1].translation)


def test_exchanged_sides_are_turned_back_and_said(rig):
    poses = scene.walker(12, 5)
    keypoints = scene.seen(rig, poses, 1.0, 0.05, np.random.default_rng(1))
    order = list(scene.SKELETON.flip_order)
    keypoints[2, 20:30] = keypoints[2, 20:30][:, order]
    found = calibrate_from_people(keypoints, scene.SKELETON, off(rig, 0.02), 1.78)
    (note,) = [note for note in found.notes if "exchanged" in note]
    assert note.startswith("camera c: left and right exchanged in")
    assert 7 <= int(note.split(" in ")[1].split()[0]) <= 10
    assert scene.differences(found.cameras, rig)[0] < 1.5


@pytest.mark.slow
@pytest.mark.parametrize("guessed", [False, True])
def test_a_minute_of_walking_by_the_demand(rig, guessed):
    keypoints = scene.seen(rig, scene.walker(60, 30), 2.0, 0.1, np.random.default_rng(2))
    cameras = [guessed_camera(camera.name, camera.size) for camera in rig] if guessed else off(rig, 0.05)
    found = calibrate_from_people(keypoints, scene.SKELETON, cameras, 1.78, guessed)
    angle, distance, _ = scene.differences(found.cameras, rig)
    assert angle < 1
    assert distance < 0.02


def test_what_cannot_be_calibrated(rig):
    keypoints = scene.seen(rig[:2], scene.walker(5, 8), 1.0, 0.0, np.random.default_rng(3))
    with pytest.raises(Pose3DError, match="one camera cannot be placed"):
        calibrate_from_people(keypoints[:1], scene.SKELETON, rig[:1], 1.78)
    with pytest.raises(Pose3DError, match="a stature of 178 m, expected metres"):
        calibrate_from_people(keypoints, scene.SKELETON, rig[:2], 178)
    with pytest.raises(Pose3DError, match="keypoints have the shape"):
        calibrate_from_people(keypoints[..., :2], scene.SKELETON, rig[:2], 1.78)
    with pytest.raises(Pose3DError, match="only 0 joints are seen by two cameras"):
        calibrate_from_people(keypoints * [[[[1]]], [[[0]]]], scene.SKELETON, rig[:2], 1.78)
    sizeless = [dataclasses.replace(camera, size=None) for camera in rig[:2]]
    with pytest.raises(Pose3DError, match="image size is needed"):
        calibrate_from_people(keypoints, scene.SKELETON, sizeless, 1.78)
    apart = keypoints.copy()
    apart[1] = np.random.default_rng(4).uniform(0, 1000, apart[1].shape)
    apart[1, ..., 2] = 0.9
    with pytest.raises(Pose3DError, match="no two cameras agree"):
        calibrate_from_people(apart, scene.SKELETON, rig[:2], 1.78)
