"""Images whose 2D and 3D poses are not of one another."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.multiview.agreement import check_records
from tf_pose3d.data.multiview.synthetic import synthetic_records
from tf_pose3d.errors import Pose3DError


@pytest.fixture(scope="module")
def records():
    return synthetic_records("S9", frames=12, actions=["Walking"])


def test_sound_records_pass(records):
    said = []
    check_records(records, said.append)
    noise = np.random.default_rng(0).normal(0, 5, records.keypoints_2d.shape).astype(np.float32)
    check_records(dataclasses.replace(records, keypoints_2d=records.keypoints_2d + noise), said.append)
    check_records(dataclasses.replace(records, camera=np.full_like(records.camera, -1)), said.append)
    check_records(dataclasses.replace(records, pose_3d=np.full_like(records.pose_3d, np.nan)), said.append)
    assert said == []


def test_metres(records):
    with pytest.raises(Pose3DError, match=r"bones are 0\.000\d+ times .*, as metres instead of millimetres"):
        check_records(dataclasses.replace(records, pose_3d=records.pose_3d / 1000))


def test_another_order_of_cameras(records):
    cameras = np.unique(records.camera)
    other = dict(zip(cameras.tolist(), np.roll(cameras, 1).tolist(), strict=True))
    swapped = np.array([other[camera] for camera in records.camera.tolist()], records.camera.dtype)
    with pytest.raises(Pose3DError, match=r"the 2D poses of camera .* are those of camera .* another order"):
        check_records(dataclasses.replace(records, camera=swapped))


def test_what_nothing_explains_is_said(records):
    random = np.random.default_rng(0)
    pixels = random.uniform(0, 800, records.keypoints_2d.shape).astype(np.float32)
    said = []
    check_records(dataclasses.replace(records, keypoints_2d=pixels), said.append)
    assert "2D and 3D poses do not agree" in said[0]
