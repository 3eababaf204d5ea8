import numpy as np
import pytest

from tf_pose3d.data.calibration import read_cameras
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.writers.markers import marker_names
from tf_pose3d.multicamera.pose2sim import Pose2SimRule, fill_gaps, triangulate_pose2sim
from tf_pose3d.multicamera.rig import make_rig
from tf_pose3d.multicamera.road import triangulate


def test_the_demo_is_what_pose2sim_makes_of_it(demo, tmp_path):
    (tmp_path / "Calib.toml").write_text(demo.calibration)
    views = {f"cam{number + 1:02d}": points for number, points in enumerate(demo.keypoints)}
    found = triangulate(views, tmp_path / "Calib.toml", layout="halpe_26", fps=60, method="pose2sim").person
    order, names = marker_names(found.motion())
    assert names[:3] == ["Hip", "RHip", "RKnee"]
    assert len(names) == 22
    ours = found.pose_3d[:, order][..., [1, 2, 0]]
    away = 1000 * np.linalg.norm(ours - demo.trc, axis=-1)
    known = np.isfinite(away)
    # Three joints are found nowhere: zeros in its file.
    assert (~known).sum() == 3 * len(ours)
    assert not demo.trc[~known].any()
    assert np.median(away[known]) < 0.01
    assert (away[known] < 1).mean() >= 0.99


def test_subsets_are_tried_until_one_is_good(scenes):
    rig, poses = scenes.rig(4, k1=0), scenes.walker(3)
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    keypoints[0, :, 3, 0] += 200
    keypoints[2, :, 3, 0] -= 300
    keypoints[:3, :, 5] = np.nan
    position, error, used = triangulate_pose2sim(rig, keypoints)
    assert used[:, 0, 3].tolist() == [False, True, False, True]
    assert np.isnan(position[:, 5]).all()
    assert np.isnan(error[:, 5]).all()
    strict = triangulate_pose2sim(rig, keypoints, Pose2SimRule(min_cameras=3))[0]
    assert np.isnan(strict[:, 3]).all()


def test_gaps_become_lines_and_ends_stay():
    points = np.full((60, 2, 3), np.nan)
    points[5:20, 0] = np.arange(5, 20)[:, None]
    points[24:50, 0] = np.arange(24, 50)[:, None]
    error = np.where(np.isfinite(points[..., 0]), 1.0, np.nan)
    filled, kept = fill_gaps(points, error)
    assert (kept.start, kept.stop) == (5, 50)
    np.testing.assert_allclose(filled[20:24, 0, 0], [20, 21, 22, 23])
    assert np.isnan(filled[:, 1]).all()
    long = fill_gaps(points, error, Pose2SimRule(longest_gap=3))[0]
    np.testing.assert_allclose(long[20:24, 0, 0], 19)


def test_many_cameras_are_refused(scenes):
    rig = scenes.rig(15)
    with pytest.raises(Pose3DError, match="15 have too many"):
        triangulate_pose2sim(rig, np.zeros((15, 1, 26, 3)))


def test_the_demo_by_our_rule(demo, tmp_path):
    (tmp_path / "Calib.toml").write_text(demo.calibration)
    rig = make_rig(read_cameras(tmp_path / "Calib.toml"))
    assert len(rig) == 4
    views = {f"cam{number + 1:02d}": points for number, points in enumerate(demo.keypoints)}
    found = triangulate(views, tmp_path / "Calib.toml", layout="halpe_26", fps=60)
    poses = found.pose_3d
    index = found.skeleton.index
    for side in "lr":
        arm = np.linalg.norm(poses[:, index(f"{side}_shoulder")] - poses[:, index(f"{side}_elbow")], axis=-1)
        assert np.abs(arm - arm.mean()).max() < 0.01
    steps = np.linalg.norm(np.diff(poses, axis=0), axis=-1)
    assert np.nanmax(steps) < 0.1
    swapped = found.report.people[0].swapped
    assert {camera: [demo.first + frame for frame in frames] for camera, frames in swapped.items()} == {
        "cam02": [36, *range(41, 50)]
    }
    assert found.report.sound
