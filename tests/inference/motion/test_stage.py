"""The whole stage: tilt, floor, feet, path, gaps, several people."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.contact import feet_joints
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps


def world_steps(**asked):
    return MotionSteps.for_file("walk.npz", placement="world", constant_bones=True, **asked)


def path_error(motion, world):
    """Mean distance of the root from the true one, both about their means, of the way that is walked."""
    found, truth = motion.poses[:, 0], world[:, 0]
    # The worlds' x and y may be turned against each other.
    plan = [points[:, :2] - points[:, :2].mean(axis=0) for points in (found, truth)]
    left, _, right = np.linalg.svd(plan[0].T @ plan[1])
    turned = plan[0] @ (left @ right)
    walked = np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()
    return np.linalg.norm(turned - plan[1], axis=1).mean() / walked


@pytest.mark.parametrize("known", [True, False])
def test_a_walk_in_the_world(walk, known):
    motion = walk.motion if known else walk.unknown()
    (staged,) = run_stage([motion], world_steps())
    held, feet = staged.motion, feet_joints(motion.skeleton)
    assert (held.world, held.level, held.placement) == (True, "camera" if known else "person", "world")
    assert path_error(held, walk.world) < 0.05
    moved = np.linalg.norm(np.diff(held.poses[:, feet], axis=0), axis=-1)
    both = held.resting[1:] & held.resting[:-1]
    assert both.mean() > 0.4
    assert moved[both].max() < 0.003
    lowest = held.poses[:, feet, 2].min(axis=1)
    assert np.abs(lowest[held.resting.any(axis=1)]).max() < 0.015
    assert held.poses[..., 2].min() > -0.015
    bones = np.stack(
        [np.linalg.norm(held.poses[:, a] - held.poses[:, b], axis=-1) for a, b in held.skeleton.bones]
    )
    assert (bones.std(axis=1) / bones.mean(axis=1)).max() < 0.005
    assert any("feet at rest locked" in step for step in staged.done)
    # The person begins at the origin.
    np.testing.assert_allclose(held.poses[0, 0, :2], 0, atol=1e-6)
    assert np.isfinite(held.root_uncertainty).all()


def test_size_is_taken_from_the_stature(walk):
    small = walk.unknown(poses=walk.motion.poses * 0.8)
    (plain,), (scaled,) = (
        run_stage([small], world_steps(stature=held, focal_known=True)) for held in (None, 1.75)
    )
    way = [np.linalg.norm(np.ptp(held.motion.poses[:, 0], axis=0)) for held in (plain, scaled)]
    assert way[1] / way[0] == pytest.approx(1 / 0.8, rel=0.12)
    assert scaled.motion.root_uncertainty.mean() < plain.motion.root_uncertainty.mean()
    assert any(step.startswith("scaled from") for step in scaled.done)


def test_gaps_stay_gaps(walk):
    poses = walk.motion.poses.copy()
    poses[100:140] = np.nan
    (staged,) = run_stage([walk.unknown(poses=poses)], world_steps(smooth="rts:6"))
    np.testing.assert_array_equal(staged.motion.present, np.isfinite(poses).all(axis=(1, 2)))
    assert not staged.motion.resting[100:140].any()
    short = walk.motion.poses.copy()
    short[5:] = np.nan
    (left,) = run_stage([walk.unknown(poses=short)], MotionSteps(smooth="rts"))
    assert left.warnings == (
        "5 of 5 frames with a pose are not smoothed: they lie in runs of fewer than 10 frames",
    )
    assert not any(step.startswith("smoothed") for step in left.done)
    assert staged.done[0] == "smoothed (Rauch-Tung-Striebel, 6 Hz)"


def test_someone_who_never_touches_a_floor(walk):
    poses = walk.motion.poses
    flying = walk.motion.keypoints.copy()
    flying[..., 1] += 40 * np.sin(np.arange(300) / 3)[:, None]
    flying[..., 0] += 3 * np.arange(300)[:, None] % 400
    (staged,) = run_stage([walk.unknown(poses=poses, keypoints=flying)], world_steps())
    assert "no foot rests on a floor in any frame" in staged.warnings[0]
    assert staged.motion.poses[..., 2].min() == pytest.approx(0, abs=1e-5)


def test_several_people_share_a_world(walk):
    beside = walk.motion.keypoints.copy()
    shift = walk.motion.camera.focal_length[0] / 5
    beside[..., 0] += shift
    first, second = walk.unknown(), walk.unknown(keypoints=beside, subject="other")
    one, other = (held.motion.poses[:, 0] for held in run_stage([first, second], world_steps()))
    np.testing.assert_allclose(one[0, :2], 0, atol=1e-6)
    assert np.linalg.norm(other[0, :2]) > 0.5


def test_several_people_stand_on_one_floor(walk):
    """One who is lifted too small stands on the other's floor once they are as large as they are."""
    small = walk.unknown(poses=walk.motion.poses * 0.9, subject="other")
    steps = world_steps(focal_known=True)
    first, second = run_stage([walk.unknown(), small], steps)
    sizes = [np.median(np.linalg.norm(held.motion.poses[:, 1] - held.motion.poses[:, 2], axis=-1))
             for held in (first, second)]  # fmt: skip
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)
    # Nobody knows who is of which size: the error is shared.
    alone = np.linalg.norm(walk.motion.poses[:, 1] - walk.motion.poses[:, 2], axis=-1).mean()
    assert 0.9 * alone < sizes[0] < alone
    assert "times as large, on one floor with the others" in second.done[-1] + second.done[-2]
    ways = [np.linalg.norm(np.ptp(held.motion.poses[:, 0], axis=0)) for held in (first, second)]
    assert ways[0] == pytest.approx(ways[1], rel=0.02)
    dwarf = walk.unknown(poses=walk.motion.poses * 0.5, subject="other")
    _, other = run_stage([walk.unknown(), dwarf], steps)
    assert any("times as large: the way that is up" in warning for warning in other.warnings)
    # Whose size is given keeps it.
    given = run_stage([walk.unknown(), small], world_steps(focal_known=True, stature=1.75))
    assert not any("one floor" in step for held in given for step in held.done)


def test_on_the_floor_in_place(seated):
    (staged,) = run_stage([seated.motion], MotionSteps.for_file("x.glb"))
    np.testing.assert_allclose(staged.motion.poses[..., 2].min(axis=1), 0, atol=1e-6)
    assert staged.motion.level == "camera"
    assert "bones of constant length" in staged.done


def test_nothing_is_done_unasked(walk):
    for path in ("x.npz", "x.npy", "x.json", "x.csv"):
        (staged,) = run_stage([walk.motion], MotionSteps.for_file(path))
        assert staged.motion is walk.motion
        assert staged.done == ()
    (staged,) = run_stage([walk.motion], MotionSteps.for_file("x.bvh", raw=True))
    assert staged.motion is walk.motion


def test_motion_capture_needs_no_camera(walk):
    filmed = dataclasses.replace(
        walk.unknown(poses=walk.world + np.array([0, 0, 0.3])),
        world=True,
        keypoints=None,
        camera=None,
        level="file",
    )
    (staged,) = run_stage([filmed], world_steps())
    feet = feet_joints(filmed.skeleton)
    ankle = np.median(staged.motion.poses[:, feet, 2][staged.motion.resting])
    assert ankle == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(
        np.ptp(staged.motion.poses[:, 0, :2], axis=0), np.ptp(walk.world[:, 0, :2], axis=0), atol=0.03
    )
    with pytest.raises(Pose3DError, match="placement camera: the motion is in world axes"):
        run_stage([filmed], MotionSteps(placement="camera"))


@pytest.fixture
def measured(walk):
    """The walk as several cameras measured it: in the world, some joints missing at times."""
    poses = (walk.world + np.array([2.0, 1.0, 0.3])).astype(np.float32)
    poses[50:58, 13] = np.nan
    poses[200:260, 16] = np.nan
    poses[280:] = np.nan
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return dataclasses.replace(
        walk.unknown(poses=poses),
        world=True,
        keypoints=None,
        camera=None,
        level="calibration",
        placement="world",
        viewpoint=(rotation, np.array([0.0, 1.5, 4.0])),
    )


def measured_steps(path, **asked):
    return MotionSteps.for_measured(path, **asked)


@pytest.mark.parametrize("path", ["x.trc", "x.c3d", "x.npz", "x.html"])
def test_what_was_measured_stays_unless_a_flag_asks(measured, path):
    (staged,) = run_stage([measured], measured_steps(path))
    np.testing.assert_array_equal(staged.motion.poses, measured.poses)
    assert staged.done == ()
    (raw,) = run_stage([measured], measured_steps("x.glb", raw=True))
    np.testing.assert_array_equal(raw.motion.poses, measured.poses)


def test_measured_motion_for_animation(measured, walk):
    (staged,) = run_stage([measured], measured_steps("x.glb"))
    held, feet = staged.motion, feet_joints(measured.skeleton)
    # Whole poses where there is one, none where there is none.
    assert not held.partial
    np.testing.assert_array_equal(held.present, measured.present)
    assert np.median(held.poses[:280][:, feet, 2][held.resting[:280]]) == pytest.approx(0, abs=1e-3)
    moved = np.linalg.norm(np.diff(held.poses[:, feet], axis=0), axis=-1)
    assert moved[held.resting[1:] & held.resting[:-1]].max() < 0.003
    # Across the floor it is where it was.
    off = np.linalg.norm((held.poses - measured.poses)[:280, 0, :2], axis=-1)
    assert off.max() < 0.02
    assert "bones that were not seen as before and after" in staged.done


def test_one_skeleton_fills_no_gap_of_measured_joints(measured):
    (staged,) = run_stage([measured], measured_steps("x.npz", constant_bones=True, smooth="rts"))
    np.testing.assert_array_equal(np.isnan(staged.motion.poses), np.isnan(measured.poses))


def test_smoothing_does_not_go_across_a_joints_gap(measured):
    jump = measured.poses.copy()
    jump[:200, 16] = 0
    jump[260:280, 16] = 1
    (staged,) = run_stage([dataclasses.replace(measured, poses=jump)], measured_steps("x.npz", smooth="rts"))
    np.testing.assert_allclose(staged.motion.poses[:200, 16], 0, atol=1e-6)
    np.testing.assert_allclose(staged.motion.poses[260:280, 16], 1, atol=1e-6)


def test_placements_of_measured_motion(measured):
    def placed(name):
        (staged,) = run_stage([measured], measured_steps("x.npz", placement=name))
        return staged.motion

    seen = placed("camera")
    assert (seen.world, seen.placement) == (False, "camera")
    rotation, translation = measured.viewpoint
    np.testing.assert_allclose(seen.poses[:280], (measured.poses @ rotation.T + translation)[:280], atol=1e-5)
    root = placed("root").poses
    np.testing.assert_allclose(root[:280, 0], 0, atol=1e-6)
    floor = placed("floor").poses
    np.testing.assert_allclose(floor[:280, 0, :2], 0, atol=1e-6)
    np.testing.assert_allclose(np.fmin.reduce(floor[:280, :, 2], axis=1), 0, atol=1e-6)
    world = placed("world").poses
    np.testing.assert_allclose((measured.poses - world)[:280, 0, :2], 0, atol=1e-6)
    with pytest.raises(Pose3DError, match="placement is 'sky'"):
        placed("sky")


def test_measured_people_share_one_floor(measured):
    """Who hovers stays above the floor on which the other walks."""
    high = dataclasses.replace(measured, poses=measured.poses + np.array([0, 0, 0.25], np.float32))
    still = np.repeat(high.poses[:1], 300, axis=0)
    still[:, :, 0] += 3 * np.arange(300, dtype=np.float32)[:, None]
    hovering = dataclasses.replace(high, poses=still)
    walker, other = run_stage([measured, hovering], measured_steps("x.npz", placement="world"))
    shift = (measured.poses - walker.motion.poses)[0, 0, 2]
    np.testing.assert_allclose((still - other.motion.poses)[:, 0, 2], shift, atol=1e-5)


def test_what_cannot_be_placed(walk):
    blind = dataclasses.replace(walk.motion, keypoints=None)
    with pytest.raises(Pose3DError, match="placement world: there are no keypoints and camera"):
        run_stage([blind], world_steps())
    with pytest.raises(Pose3DError, match="placement camera: there are no keypoints"):
        run_stage([blind], MotionSteps(placement="camera"))


def test_the_network_of_the_root_s_path_says_where_a_person_is(walk):
    path = np.cumsum(np.full((300, 3), 0.01), axis=0) + np.array([0, 0, 4.0])
    moved = walk.unknown(path=path)
    for placement in ("lifted", "camera"):
        (staged,) = run_stage([moved], MotionSteps(placement=placement))
        np.testing.assert_allclose(staged.motion.poses, moved.poses + path[:, None])
        assert staged.motion.placement == "camera"
        assert staged.done == ("in the camera's space, by the network of the root's path",)
    for motion, steps in ((moved, MotionSteps()), (walk.motion, MotionSteps(placement="lifted"))):
        (staged,) = run_stage([motion], steps)
        np.testing.assert_array_equal(staged.motion.poses, motion.poses)
        assert staged.done == ()


@pytest.mark.parametrize("smooth", ["butterworth:4", "rts:4"])
def test_the_network_s_path_is_smoothed_and_scaled_with_the_poses(walk, smooth):
    noise = np.random.default_rng(0).normal(size=(300, 3)) * 0.02
    moved = walk.unknown(path=np.array([0, 0, 4.0]) + noise)
    (staged,) = run_stage([moved], MotionSteps(smooth=smooth))
    assert staged.motion.path.std(axis=0).max() < 0.6 * moved.path.std(axis=0).max()
    (plain,), (scaled,) = (run_stage([moved], MotionSteps(stature=held)) for held in (1.5, 1.8))
    np.testing.assert_allclose(scaled.motion.path, plain.motion.path * 1.2, rtol=1e-6)


def test_the_network_s_path_leads_through_the_world(walk):
    """Keypoints that say nothing of where the person is: the path alone does."""
    path = walk.motion.camera.from_world(walk.world)[:, 0]
    still = np.broadcast_to(walk.motion.keypoints[:1], walk.motion.keypoints.shape)
    held = dataclasses.replace(walk.motion, keypoints=still, path=path)
    (staged,) = run_stage([held], world_steps())
    assert path_error(staged.motion, walk.world) < 0.05


def test_files_for_animation_follow_the_network_s_path(walk):
    path = walk.motion.camera.from_world(walk.world)[:, 0]
    (staged,) = run_stage([dataclasses.replace(walk.motion, path=path)], MotionSteps.for_file("walk.bvh"))
    assert staged.motion.placement == "world"
    assert path_error(staged.motion, walk.world) < 0.05
    (asked,) = run_stage(
        [dataclasses.replace(walk.motion, path=path)], MotionSteps.for_file("walk.bvh", placement="floor")
    )
    (alone,) = run_stage([walk.motion], MotionSteps.for_file("walk.bvh"))
    for held in (asked, alone):
        assert held.motion.placement == "floor"
