"""Axes that people share: see test_stage.py for what follows from them."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.motion.world import find_world, with_confidence
from tf_pose3d.skeleton import get_skeleton


def test_given_angles_come_before_the_cameras_own(walk):
    world = find_world([walk.motion], MotionSteps(level="auto", pitch=12.0))
    assert world.level == "angles"
    assert np.degrees(np.arcsin(-(world.rotation @ [0, 0, 1])[2])) == pytest.approx(12)


def test_what_cannot_tell(walk):
    nobody = walk.unknown(poses=walk.motion.poses * np.nan)
    with pytest.raises(Pose3DError, match="no frame has a pose that tells which way is up"):
        find_world([nobody], MotionSteps(level="auto"))
    other = dataclasses.replace(walk.unknown(), skeleton=get_skeleton("coco_17"))
    with pytest.raises(
        Pose3DError, match="coco_17 lacks neck, which tell which way is up; give the camera's pitch"
    ):
        find_world([other], MotionSteps(level="auto"))


def test_confidence_is_made_up_where_there_is_none(walk):
    assert (with_confidence(walk.motion.keypoints[..., :2])[..., 2] == 1).all()
    assert with_confidence(walk.motion.keypoints) is walk.motion.keypoints
