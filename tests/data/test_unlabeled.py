"""Batches of labelled windows that go on with unlabelled ones."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.camera import Camera
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.unlabeled import SemiSupervisedWindows
from tf_pose3d.data.window_spec import UnlabeledSpec, WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

CAMERA = Camera(
    "c", 1000, 1000, np.array([1100.0, 1100.0]), np.array([500.0, 500.0]), np.zeros(3), np.zeros(2)
)
SPEC = WindowSpec(length=3, mirror="entries", unlabeled=UnlabeledSpec("S5", 2, need="they are projected"))


def recording(subject, frames, first, camera=CAMERA):
    """Pixels that number the frames, so that windows tell where they come from."""
    pixels = np.full((frames, 17, 2), 500.0, np.float32)
    pixels[..., 1] = 500 + first + np.arange(frames)[:, None]
    poses = np.ones((frames, 17, 3), np.float32)
    return Sequence(subject, "Walking", "Walking 1", get_skeleton("h36m_17"), 50.0, camera, pixels, poses)


@pytest.fixture
def windows():
    return SemiSupervisedWindows([recording("S1", 6, 0)], [recording("S5", 9, 100)], SPEC, seed=3)


def frames_of(batch):
    """Numbers of the frames in the middle of the windows."""
    return (np.asarray(batch["keypoints_2d"])[:, 1, 0, 1] * 500).round().astype(int)


def test_batches_are_labelled_alone_until_warm_and_then_both(windows):
    batches = list(windows.training_dataset(4, last_step=9).take(9))
    # Twelve windows with their mirror images: an epoch is three steps, two of them to warm up.
    assert [len(batch["keypoints_2d"]) for batch in batches] == [4] * 6 + [8] * 3
    for step, batch in enumerate(batches):
        assert len(batch["pose_3d"]) == 4
        assert len(batch["unlabeled_intrinsics"]) == (4 if step >= 6 else 0)
        frames = frames_of(batch)
        assert (frames[:4] < 100).all()
        assert (frames[4:] >= 100).all()
    seen = np.concatenate([frames_of(batch)[4:] for batch in batches])
    assert len(set(seen)) > 4


def test_a_run_that_goes_on_sees_the_same(windows):
    whole = list(windows.training_dataset(4, last_step=10).take(10))
    for first in (4, 7):
        for before, after in zip(whole[first:], windows.training_dataset(4, first_step=first), strict=False):
            for name in before:
                np.testing.assert_array_equal(before[name], after[name])


def test_replicas_get_their_shares(windows):
    parts = list(windows.training_dataset(4, first_step=7, shards=2, shard_ids=(0, 1)).take(2))
    whole = next(iter(windows.training_dataset(4, first_step=7)))
    assert [len(part["keypoints_2d"]) for part in parts] == [4, 4]
    frames = [frames_of(part) for part in parts]
    assert [*frames[0][:2], *frames[1][:2]] == list(frames_of(whole)[:4])
    assert [*frames[0][2:], *frames[1][2:]] == list(frames_of(whole)[4:])


def test_shapes_do_not_depend_on_where_a_run_begins(windows):
    shapes = [windows.training_dataset(4, first_step=step).element_spec for step in (0, 8)]
    assert shapes[0] == shapes[1]


def test_an_epoch_may_be_given(windows):
    spec = dataclasses.replace(SPEC, unlabeled=UnlabeledSpec("S5", 1, steps_per_epoch=2))
    made = SemiSupervisedWindows([recording("S1", 6, 0)], [recording("S5", 9, 100)], spec)
    sizes = [len(batch["keypoints_2d"]) for batch in made.training_dataset(4).take(4)]
    assert sizes == [4, 4, 8, 8]


def test_what_is_said_of_them(windows):
    assert "18 unlabelled windows of S5, from epoch 3 on" in windows.notes()


def test_unlabelled_poses_need_cameras_that_project():
    bare = recording("S5", 9, 100, Camera("c", 1000, 1000))
    with pytest.raises(Pose3DError, match=r"1 of 1 sequences .*: they are projected"):
        SemiSupervisedWindows([recording("S1", 6, 0)], [bare], SPEC)
    kept = dataclasses.replace(SPEC, unlabeled=UnlabeledSpec("S5"))
    SemiSupervisedWindows([recording("S1", 6, 0)], [bare], kept)
