"""What is done with people in metres: files, rotations, angles."""

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.calibration.record import Calibration
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion_readers import ReadMotionOptions, read_motion


@pytest.fixture(scope="module")
def person(scenes):
    rig = scenes.rig(4)
    truth = scenes.walker(60)
    seen = scenes.seen(rig, truth, sigma=1.0)
    # In two views only, at times in one.
    seen[2:, :, scenes.skeleton.index("l_wrist")] = np.nan
    views = dict(zip(rig.names, seen, strict=True))
    calibration = Calibration("made", "made", rig.cameras)
    return tf_pose3d.triangulate(views, calibration, layout="halpe_26", fps=60).person


def test_files_hold_what_was_measured(person, tmp_path):
    person.save(tmp_path / "a.trc")
    person.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["pose_3d"], person.pose_3d)
        assert (file["level_by"], file["placement"], file["axes"]) == ("calibration", "world", "world, z up")
    row = (tmp_path / "a.trc").read_text().splitlines()[5].split("\t")
    y, z, x = (float(value) for value in row[2:5])
    np.testing.assert_allclose([x, y, z], person.pose_3d[0, 19], atol=1e-6)


def test_animation_is_one_skeleton_where_the_person_is(person, tmp_path):
    person.save(tmp_path / "a.bvh")
    motion = read_motion(tmp_path / "a.bvh", ReadMotionOptions())
    assert not motion.partial
    lengths = np.linalg.norm(motion.poses[:, 1] - motion.poses[:, 2], axis=-1)
    assert np.ptp(lengths) < 1e-3
    # Files of animation have other axes across the floor; the way is the same, the floor at 0.
    way = [np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=1).sum() for poses in (
        motion.poses[:, motion.root], person.pose_3d[:, 19])]  # fmt: skip
    assert way[0] == pytest.approx(way[1], rel=0.02)
    # Ankles are above toes, which stand on it.
    assert 0.05 < motion.poses[..., 2].min() < 0.15


def test_rotations_and_angles(person):
    rig = person.to_rotations()
    # A layout of animation programs: no points of the face, a spine.
    assert {"pelvis", "spine", "head", "l_ankle"} <= set(rig.names)
    assert not {"l_eye", "nose"} & set(rig.names)
    assert np.isfinite(rig.quaternions()).all()
    angles = person.angles()
    assert {"hip_flexion_left", "ankle_dorsiflexion_right"} <= set(angles)
    assert np.ptp(angles["hip_flexion_left"]) > 20


def test_placements(person):
    seen = person.motion("camera")
    assert not seen.world
    # Where the first view's keypoints say.
    known = np.isfinite(person.keypoints[0, ..., 0]) & np.isfinite(seen.poses[..., 0])
    x = seen.poses[..., 0] / seen.poses[..., 2] * 1500 + 960
    assert np.median(np.abs(x - person.keypoints[0, ..., 0])[known]) < 4
    root = person.motion("root").poses
    assert np.nanmax(np.abs(root[:, person.skeleton.root])) == 0
    with pytest.raises(Pose3DError, match="placement is 'sky'"):
        person.motion("sky")
