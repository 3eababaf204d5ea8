import numpy as np
import pytest

from tf_pose3d.multicamera.association import associate
from tf_pose3d.multicamera.detections import ViewDetections, dense_views
from tf_pose3d.multicamera.reconstruction import reconstruct


def crowd(scenes, views=4, frames=150, seed=0):
    """Two people, one of whom comes late and goes early, a false one in a view, others at times; shuffled.

    Returns:
        Rig, poses of both, `(2, F)` who is there, detections, and whose each is (-1: nobody's).
    """
    rng = np.random.default_rng(seed)
    rig = scenes.rig(views)
    people = [scenes.walker(frames, which) for which in (0, 1)]
    seen = [scenes.seen(rig, poses, seed=seed + number, sigma=4) for number, poses in enumerate(people)]
    there = np.ones((2, frames), bool)
    there[1, :20] = there[1, -25:] = False
    flip = list(scenes.skeleton.flip_order)
    detections, owners = [], []
    for view in range(views):
        frame, points, owner = [], [], []
        for number in range(frames):
            found = [
                (who, seen[who][view, number]) for who in (0, 1) if there[who, number] and rng.random() > 0.06
            ]
            if view == 1 and 60 <= number < 80:
                found = [(who, keypoints[flip] if who == 0 else keypoints) for who, keypoints in found]
            if view == 2:
                false = seen[0][2, 0].copy()
                false[:, :2] = (false[:, :2] - np.nanmean(false[:, :2], axis=0)) * 0.7 + [300, 700]
                found.append((-1, false + rng.normal(size=false.shape).astype(np.float32) * [3, 3, 0]))
            if rng.random() < 0.05:
                false = seen[0][view, number].copy()
                false[:, :2] += rng.uniform(-500, 500, 2)
                found.append((-1, false))
            rng.shuffle(found)
            for who, keypoints in found:
                frame.append(number)
                points.append(keypoints)
                owner.append(who)
        detections.append(ViewDetections(np.array(frame), np.array(points, np.float32)))
        owners.append(np.array(owner))
    return rig, people, there, detections, owners


@pytest.mark.parametrize(("views", "seed"), [(4, 0), (3, 1)])
def test_people_are_told_apart_and_nobody_is_invented(scenes, views, seed):
    frames = 150
    rig, people, there, detections, owners = crowd(scenes, views, frames, seed)
    tables = associate(rig, detections, scenes.skeleton, frames)
    assert len(tables) == 2
    whose = []
    for table in tables:
        own = np.concatenate([owners[view][table[view][table[view] >= 0]] for view in range(views)])
        values, counts = np.unique(own, return_counts=True)
        assert counts.max() / counts.sum() >= 0.99
        who = int(values[np.argmax(counts)])
        whose.append(who)
        # Nearly all of their detections are found.
        held = sum(int((owners[view] == who).sum()) for view in range(views))
        assert counts.max() / held > 0.97
        points = reconstruct(rig, dense_views(detections, table, frames), scenes.skeleton)
        known = np.isfinite(points.pose_3d[..., 0])
        assert not known[~there[who]].any()
        error = 1000 * np.linalg.norm(points.pose_3d - people[who], axis=-1)
        assert np.nanmedian(error) < (6 if views == 4 else 7.5)
        assert np.nanpercentile(error, 95) < (13 if views == 4 else 17)
    assert sorted(whose) == [0, 1]


def test_a_false_detection_of_one_view_is_nobody(scenes):
    rig = scenes.rig(3)
    false = scenes.seen(rig, scenes.walker(30))
    empty = ViewDetections(np.zeros(0, np.int64), np.zeros((0, 26, 3), np.float32))
    views = [ViewDetections(np.arange(30), false[0]), empty, empty]
    assert associate(rig, views, scenes.skeleton, 30) == []


def test_who_comes_back_is_the_same_person(scenes):
    rig, frames = scenes.rig(4), 160
    keypoints = [scenes.seen(rig, scenes.walker(frames, which), seed=which) for which in (0, 1)]
    gone = slice(60, 100)
    views = []
    for view in range(4):
        rows = [
            (number, keypoints[who][view, number])
            for number in range(frames)
            for who in (0, 1)
            if who == 0 or not gone.start <= number < gone.stop
        ]
        views.append(
            ViewDetections(np.array([row[0] for row in rows]), np.array([row[1] for row in rows], np.float32))
        )
    tables = associate(rig, views, scenes.skeleton, frames)
    assert len(tables) == 2
    second = (tables[1] >= 0).any(axis=0)
    assert second[:60].mean() > 0.95
    assert second[100:].mean() > 0.95
    assert not second[gone].any()
