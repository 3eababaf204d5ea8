import numpy as np

from tf_pose3d.multicamera.reconstruction import Options, reconstruct
from tf_pose3d.multicamera.refinement import measure_clip


def errors_mm(points, truth):
    return 1000 * np.linalg.norm(points.pose_3d - truth, axis=-1)


def test_a_noisy_clip_becomes_twice_as_good(scenes):
    rig, poses = scenes.rig(4), scenes.walker(120)
    keypoints = scenes.seen(rig, poses, sigma=4)
    plain = errors_mm(reconstruct(rig, keypoints.copy(), scenes.skeleton, Options(refine=False)), poses)
    refined = errors_mm(reconstruct(rig, keypoints.copy(), scenes.skeleton), poses)
    assert np.nanmedian(refined) < 0.5 * np.nanmedian(plain)
    assert np.nanmedian(refined) < 4.2
    assert np.nanpercentile(refined, 95) < 8.5
    # What fewer than two views see is not made up by smoothness either.
    np.testing.assert_array_equal(np.isnan(refined), np.isnan(plain))


def test_exact_keypoints_stay_where_they_are(scenes):
    rig, poses = scenes.rig(4, k1=-0.2), scenes.walker(30)[::3]
    # Bones that are longer in some frames: what is seen counts, not what is usual.
    poses[4:, 7] += [0, 0.01, 0.02]
    keypoints = scenes.seen(rig, poses, sigma=0, missed=0)
    found = reconstruct(rig, keypoints, scenes.skeleton)
    assert errors_mm(found, poses).max() < 0.01


def test_wrong_keypoints_let_go(scenes):
    rig, poses = scenes.rig(4), scenes.walker(60)
    keypoints = scenes.seen(rig, poses, sigma=2, missed=0)
    wrong = np.random.default_rng(3).random(keypoints.shape[:3]) < 0.03
    keypoints[wrong, :2] += 80
    error = errors_mm(reconstruct(rig, keypoints, scenes.skeleton), poses)
    assert np.nanpercentile(error, 99) < 15


def test_what_is_usual_is_measured(scenes):
    rig, poses = scenes.rig(4), scenes.walker(100)
    keypoints = scenes.seen(rig, poses, sigma=4, missed=0)
    points = reconstruct(rig, keypoints, scenes.skeleton, Options(refine=False))
    model = measure_clip(points.pose_3d, points.error, points.used, scenes.skeleton, np.full(26, 0.004))
    np.testing.assert_allclose(model.pixels, 4, rtol=0.25)
    lengths = dict(zip(map(tuple, model.bones.tolist()), model.lengths, strict=True))
    index = scenes.skeleton.index
    assert abs(lengths[index("l_hip"), index("l_knee")] - 1.03 * 0.44) < 0.004
