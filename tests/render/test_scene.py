import dataclasses

import numpy as np
import pytest

from tf_pose3d.camera import camera_to_world
from tf_pose3d.data.human36m import CAMERAS
from tf_pose3d.errors import Pose3DError
from tf_pose3d.render.scene import LEVEL, make_scene, select_frames, viewer_azimuth


def test_frames_are_skipped_then_downsampled_then_limited(sequence):
    assert select_frames(sequence).tolist() == list(range(24))
    assert select_frames(sequence, skip=3, downsample=5).tolist() == [3, 8, 13, 18, 23]
    assert select_frames(sequence, skip=3, downsample=5, limit=2).tolist() == [3, 8]
    assert len(select_frames(sequence, limit=100)) == 24


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"skip": -1}, "leave out -1 frames"),
        ({"downsample": 0}, "every 0th"),
        ({"skip": 24}, "has 24 frames; leaving out 24 leaves none"),
    ],
)
def test_frames_that_cannot_be_selected(sequence, flags, message):
    with pytest.raises(Pose3DError, match=message):
        select_frames(sequence, **flags)


def test_azimuths_are_those_of_the_release():
    for cameras in CAMERAS.values():
        azimuths = [viewer_azimuth(camera.orientation) for camera in cameras]
        np.testing.assert_allclose(azimuths, [70, -70, 110, -110], atol=6)


def test_truth_stands_where_it_was_with_its_lowest_joint_on_the_floor(sequence, poses):
    scene = make_scene(sequence, poses, downsample=2)
    assert scene.fps == 25
    predicted, true = scene.tracks
    camera = sequence.camera
    world = camera_to_world(sequence.pose_3d, camera.orientation, camera.translation)
    world[..., 2] -= world[..., 2].min()
    np.testing.assert_allclose(true.poses, world[::2], atol=1e-5)
    np.testing.assert_allclose(predicted.poses[:, 0], true.poses[:, 0], atol=1e-5)
    # 16 of 17 joints are 30 mm off.
    np.testing.assert_allclose(predicted.error_mm, 30 * 16 / 17, rtol=1e-3)
    assert true.error_mm is None


def test_without_truth_the_person_stands_upright_in_place(sequence, poses):
    blind = dataclasses.replace(
        sequence,
        pose_3d=None,
        camera=dataclasses.replace(sequence.camera, orientation=None, translation=None),
    )
    (track,) = make_scene(blind, poses).tracks
    assert track.error_mm is None
    np.testing.assert_allclose(track.poses[..., 2].min(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(track.poses[:, 0, :2], 0, atol=1e-6)
    # The cameras look slightly down, so a level one leaves people a little tilted.
    head, feet = (sequence.skeleton.index(joint) for joint in ("head_top", "l_ankle"))
    assert (track.poses[:, head, 2] - track.poses[:, feet, 2] > 1.0).all()
    assert viewer_azimuth(LEVEL) == pytest.approx(-90)


def test_ground_truth_can_be_left_out(sequence, poses):
    assert [track.title for track in make_scene(sequence, poses, ground_truth=False).tracks] == ["Prediction"]


def test_poses_must_fit(sequence, poses):
    with pytest.raises(Pose3DError, match=r"shape \(23, 17, 3\), expected \(24, 17, 3\)"):
        make_scene(sequence, poses[1:])
    with pytest.raises(Pose3DError, match="need 2D poses and a camera"):
        make_scene(dataclasses.replace(sequence, camera=None), poses)
