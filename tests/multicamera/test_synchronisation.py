import numpy as np
import pytest

from tf_pose3d.multicamera.inputs import ViewClip
from tf_pose3d.multicamera.synchronisation import synchronise


def recorded(scenes, starts, steps, frames=200, seed=0):
    rig, poses = scenes.rig(len(starts)), scenes.walker(frames)
    keypoints = scenes.seen(rig, poses, seed=seed)
    clips = []
    for view, (start, step) in enumerate(zip(starts, steps, strict=True)):
        rows = np.arange(start, frames, step)
        number = np.arange(len(rows))
        clips.append(
            ViewClip(rig.names[view], "", scenes.skeleton, number, 0 * number, keypoints[view, rows], number)
        )
    return rig, poses, clips


@pytest.mark.parametrize(
    ("starts", "steps"),
    [((0, 7, 12, 5), (1, 1, 1, 2)), ((0, 0, 0, 0), (1, 1, 1, 1)), ((3, 12, 0), (1, 1, 1))],
)
def test_offsets_and_rates_are_exact(scenes, starts, steps):
    rig, _, clips = recorded(scenes, starts, steps)
    found = synchronise(rig, clips)
    np.testing.assert_array_equal(found.steps, steps)
    np.testing.assert_array_equal(found.offsets, np.array(starts) - min(starts))
    assert found.unsure == ()


def test_known_rates_are_kept(scenes):
    rig, _, clips = recorded(scenes, (0, 4, 9), (1, 2, 1))
    found = synchronise(rig, clips, np.array([1.0, 2, 1]))
    np.testing.assert_array_equal(found.offsets, [0, 4, 9])


def test_views_that_tell_nothing_are_unsure(scenes):
    rig, _, clips = recorded(scenes, (0, 0, 0), (1, 1, 1), frames=60)
    still = clips[2].keypoints[:1].repeat(60, axis=0)
    rng = np.random.default_rng(0)
    still = still + rng.normal(size=still.shape).astype(np.float32) * 300
    clips[2] = ViewClip(
        "cam03", "", scenes.skeleton, clips[2].number, clips[2].track, still, clips[2].numbers
    )
    assert synchronise(rig, clips).unsure == (2,)
