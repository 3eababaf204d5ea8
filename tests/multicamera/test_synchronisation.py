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


def between(scenes, starts, rates, seconds=4.0, seed=0):
    """Clips of cameras of any rate that begin at any time, in frames of the fastest."""
    rig = scenes.rig(len(starts))
    truth = scenes.walker(300)
    clips = []
    for view, (start, rate) in enumerate(zip(starts, rates, strict=True)):
        time = 60 * (start / max(rates) + np.arange(int(seconds * rate)) / rate)
        left = time.astype(int)
        share = (time - left)[:, None, None]
        poses = truth[left] * (1 - share) + truth[left + 1] * share
        number = np.arange(len(time))
        seen = scenes.seen(rig, poses, seed=seed + view)[view]
        clips.append(ViewClip(rig.names[view], "", scenes.skeleton, number, 0 * number, seen, number))
    return rig, clips


@pytest.mark.parametrize(
    ("rates", "steps"), [((60, 60, 50), (1, 1, 1.2)), ((50, 50, 25, 30), (1, 1, 2, 5 / 3))]
)
def test_any_usual_ratio_of_rates(scenes, rates, steps):
    starts = (0, 7, 3, 5)[: len(rates)]
    rig, clips = between(scenes, starts, rates)
    found = synchronise(rig, clips)
    np.testing.assert_allclose(found.steps, steps, rtol=1e-9)
    np.testing.assert_allclose(found.offsets, starts, atol=0.3)


def test_parts_of_a_frame(scenes):
    rig, clips = between(scenes, (0, 7.5, 3, 5.4), (60, 60, 60, 30))
    found = synchronise(rig, clips)
    assert found.offsets[[0, 2]].tolist() == [0, 3]
    np.testing.assert_allclose(found.offsets, [0, 7.5, 3, 5.4], atol=0.2)


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
