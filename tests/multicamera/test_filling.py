import numpy as np

from tf_pose3d.multicamera.filling import fill_single_views
from tf_pose3d.multicamera.road import triangulate


def test_a_joint_of_one_view_is_laid_onto_the_others(scenes, monkeypatch):
    """With a lifter that knows the truth round the root, in its own size."""
    import tf_pose3d.inference.lifter as lifter_module

    rig, poses = scenes.rig(3), scenes.walker(12).astype(np.float32)
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    wrist = scenes.skeleton.index("l_wrist")
    keypoints[1:, 4:7, wrist] = np.nan
    known = poses.copy()
    known[4:7, wrist] = np.nan

    class Known:
        skeleton = scenes.skeleton

        def lift(self, points, width, height, fps, skeleton, focal):
            (view,) = [
                number for number in range(3) if np.array_equal(points, keypoints[number], equal_nan=True)
            ]
            seen = poses @ rig.rotation[view].T.astype(np.float32)
            return type("Lifted", (), {"pose_3d": 0.9 * (seen - seen[:, 19:20])})

    monkeypatch.setattr(lifter_module, "load", lambda name: Known())
    filled, marks = fill_single_views(rig, keypoints, known, scenes.skeleton, 60)
    assert np.argwhere(marks).tolist() == [[4, wrist], [5, wrist], [6, wrist]]
    np.testing.assert_allclose(filled, poses, atol=1e-3)
    # Nothing to fill, nothing loaded.
    monkeypatch.setattr(lifter_module, "load", None)
    assert not fill_single_views(rig, keypoints, poses, scenes.skeleton, 60)[1].any()


def test_with_the_shipped_lifter(scenes):
    from tf_pose3d.data.calibration.record import Calibration

    rig, poses = scenes.rig(3), scenes.walker(40)
    keypoints = scenes.seen(rig, poses)
    wrist = scenes.skeleton.index("l_wrist")
    keypoints[1:, 10:30, wrist] = np.nan
    keypoints[0, :, wrist, 2] = 0.9
    views = dict(zip(rig.names, keypoints, strict=True))
    calibration = Calibration("made", "made", rig.cameras)
    found = triangulate(views, calibration, layout="halpe_26", fps=60, fill=True)
    assert found.person.filled[10:30, wrist].mean() > 0.8
    off = np.linalg.norm(found.pose_3d[10:30, wrist] - poses[10:30, wrist], axis=-1)
    assert np.nanmedian(off) < 0.25
    assert found.report.people[0].filled == found.person.filled.sum()
