"""Interleaved groups of views."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.multiview.grouping import make_groups
from tf_pose3d.data.multiview.records import join_records
from tf_pose3d.data.multiview.synthetic import synthetic_records
from tf_pose3d.errors import Pose3DError


@pytest.fixture(scope="module")
def records():
    """Two recordings of ten frames in four cameras."""
    return synthetic_records("S1", frames=10, actions=["Walking", "Sitting"])


def without(records, rows):
    """The records but some."""
    kept = np.setdiff1d(np.arange(len(records)), rows)
    columns = ("view", "frame", "recording", "camera", "keypoints_2d", "visible", "pose_3d", "centre", "box")
    return dataclasses.replace(records, **{name: getattr(records, name)[kept] for name in columns})


def row_of(records, recording, view, frame):
    fits = (records.recording == recording) & (records.view == view) & (records.frame == frame)
    return int(np.flatnonzero(fits)[0])


@pytest.mark.parametrize(
    ("views", "pattern"),
    [([0, 1, 2, 3], [0, 1, 2, 3]), ([3, 1], [0, 1]), ([0, 1, 2], [1, 0, 1]), ([2, 0, 1, 3], [0, 0, 1, 2])],
)
def test_each_view_shows_its_frame(records, views, pattern):
    groups = make_groups(records, views, pattern)
    frames = max(pattern) + 1
    assert groups.shown.shape[1:] == (len(views),)
    assert groups.every.shape[1:] == (frames, len(views))
    assert len(groups) == 2 * (10 // frames)
    assert groups.skipped == 0
    begin = records.frame[groups.every[:, 0, 0]]
    assert (begin % frames == 0).all()
    for column, (view, frame) in enumerate(zip(views, pattern, strict=True)):
        assert (records.view[groups.shown[:, column]] == view).all()
        np.testing.assert_array_equal(records.frame[groups.shown[:, column]], begin + frame)
        np.testing.assert_array_equal(groups.every[:, frame, column], groups.shown[:, column])
    for frame in range(frames):
        np.testing.assert_array_equal(records.frame[groups.target[:, frame]], begin + frame)
    # All records of a group are of one recording.
    same = records.recording[groups.every.reshape(len(groups), -1)]
    assert (same == same[:, :1]).all()


def test_every_nth_whole_group_is_kept(records):
    every = make_groups(records, [0, 1], [0, 1])
    third = make_groups(records, [0, 1], [0, 1], step=3)
    np.testing.assert_array_equal(third.shown, every.shown[::3])


def test_a_group_without_a_view_is_skipped_and_counted(records):
    lacking = without(records, row_of(records, 0, 1, 5))
    groups = make_groups(lacking, [0, 1, 2, 3], [0, 1, 2, 3])
    assert len(groups) == 3
    assert groups.skipped == 1


def test_or_it_is_an_error_that_names_camera_and_frame(records):
    lacking = without(records, row_of(records, 0, 1, 5))
    with pytest.raises(Pose3DError, match=r"S1, .*: no image of camera 1 at frame 5, .* begins at frame 4"):
        make_groups(lacking, [0, 1, 2, 3], [0, 1, 2, 3], missing="error")


def test_an_image_that_no_view_shows_is_not_missed(records):
    lacking = without(records, row_of(records, 0, 1, 6))
    groups = make_groups(lacking, [0, 1, 2, 3], [0, 1, 2, 3], missing="error")
    assert len(groups) == 4
    assert (groups.every[:, 2, 1] == -1).sum() == 1


def test_a_frame_without_any_pose_is_missing(records):
    pose = records.pose_3d.copy()
    pose[(records.recording == 0) & (records.frame == 2)] = np.nan
    lacking = dataclasses.replace(records, pose_3d=pose)
    assert make_groups(lacking, [0, 1, 2, 3], [0, 1, 2, 3]).skipped == 1
    with pytest.raises(Pose3DError, match="no 3D pose at frame 2"):
        make_groups(lacking, [0, 1, 2, 3], [0, 1, 2, 3], missing="error")


def test_an_unknown_camera_and_no_whole_group_are_errors(records):
    with pytest.raises(Pose3DError, match=r"has no camera 7 .*; it has 0, 1, 2, 3"):
        make_groups(records, [0, 7], [0, 1])
    only = without(records, np.flatnonzero((records.view == 1) & (records.frame % 2 == 1)))
    with pytest.raises(Pose3DError, match="no group of 2 frames has images of cameras 0, 1"):
        make_groups(only, [0, 1], [0, 1])


def test_joined_records_keep_recordings_and_cameras_apart(records):
    other = synthetic_records("S5", frames=4, actions=["Walking"])
    both = join_records([records, other])
    assert len(both) == len(records) + len(other)
    assert both.takes == ("S1, Sitting", "S1, Walking", "S5, Walking")
    assert both.recording.max() == 2
    assert both.camera[len(records) :].min() == 4
    np.testing.assert_array_equal(both.images.read(len(records)), other.images.read(0))
    assert len(make_groups(both, [0, 1, 2, 3], [0, 1, 2, 3])) == 5


def test_joints_that_are_not_annotated_are_not_visible(records):
    union = records.with_joints(("pelvis", "mpii_thorax", "l_wrist"))
    assert not union.visible[:, 1].any()
    assert np.isnan(union.pose_3d[:, 1]).all()
    wrist = records.joints.index("l_wrist")
    np.testing.assert_array_equal(union.keypoints_2d[:, 2], records.keypoints_2d[:, wrist])
    with pytest.raises(Pose3DError, match="none of the joints nose"):
        records.with_joints(("nose",))
