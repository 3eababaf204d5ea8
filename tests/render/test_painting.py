import dataclasses

import numpy as np
import pytest
from PIL import Image

from tf_pose3d.render import style
from tf_pose3d.render.painting import Painter
from tf_pose3d.render.scene import make_scene


def count(picture, colour):
    return int((np.asarray(picture) == colour).all(axis=-1).sum())


@pytest.mark.parametrize(("size", "panel"), [(3, 300), (2.53, 252), (1, 100)])
def test_sizes_are_even(sequence, poses, size, panel):
    scene = make_scene(sequence, poses, limit=1)
    assert Painter(scene, size).paint(0).size == (3 * panel, panel)
    alone = make_scene(sequence, poses, limit=1, ground_truth=False)
    assert Painter(alone, size).paint(0).size == (2 * panel, panel)


def test_left_and_right_are_coloured_in_every_panel(sequence, poses):
    picture = Painter(make_scene(sequence, poses, limit=1), 3).paint(0)
    for number in range(3):
        # Without the legend at the foot.
        panel = picture.crop((300 * number, 0, 300 * number + 300, 270))
        assert count(panel, style.LEFT) > 30
        assert count(panel, style.RIGHT) > 30


def test_2d_joints_are_drawn_where_they_are(sequence, poses):
    scene = make_scene(sequence, poses, limit=1)
    painter = Painter(scene, 5, over_video=True)
    video = Image.new("RGB", painter.picture_size, (0, 200, 0))
    panel = np.asarray(painter.paint(0, video))[:, :500]
    green = np.argwhere((panel == (0, 200, 0)).all(axis=-1))
    (top, left), (bottom, right) = green.min(axis=0), green.max(axis=0) + 1
    # The video's place in the panel tells where pixel coordinates are.
    joint = scene.skeleton.index("l_ankle")
    x, y = scene.pose_2d[0, joint] / scene.image_size * (right - left, bottom - top) + (left, top)
    np.testing.assert_array_equal(panel[round(float(y)), round(float(x))], style.LEFT)


def test_wild_predictions_are_drawn_without_harm(sequence, poses):
    wild = poses.copy()
    wild[0] *= 1e6
    wild[1, 3] = np.nan
    scene = make_scene(sequence, wild, limit=2)
    painter = Painter(scene, 1)
    for index in range(2):
        assert painter.paint(index).size == (300, 100)


def test_frame_and_error_are_shown(sequence, poses):
    scene = make_scene(sequence, poses, limit=1)
    painted = np.asarray(Painter(scene, 3).paint(0)).astype(int)
    changes = {
        "error": (dataclasses.replace(scene.tracks[0], error_mm=np.array([777.7])), 300, 600),
    }
    for track, left, right in changes.values():
        other = dataclasses.replace(scene, tracks=(track, scene.tracks[1]))
        changed = np.abs(np.asarray(Painter(other, 3).paint(0)) - painted).sum(axis=(0, 2)) > 0
        assert changed[left:right].any()
        assert not changed[:left].any()
        assert not changed[right:].any()
    later = dataclasses.replace(scene, frames=np.array([1234]))
    changed = np.abs(np.asarray(Painter(later, 3).paint(0)) - painted).sum(axis=(0, 2)) > 0
    assert changed[:300].any()
    assert not changed[300:].any()


def test_uncertain_joints_are_fainter(sequence, poses):
    unsure = np.full(poses.shape[:2], 0.1)
    names = [f"{side}_{joint}" for side in "lr" for joint in ("knee", "ankle")]
    unsure[:, [sequence.skeleton.index(name) for name in names]] = 0.7
    panels = []
    for radii in (None, unsure):
        scene = make_scene(sequence, poses, limit=1, ground_truth=False, unsure=radii)
        panels.append(Painter(scene, 3).paint(0).crop((300, 0, 600, 270)))
    full = [count(panel, style.LEFT) for panel in panels]
    assert 0 < full[1] < 0.8 * full[0]
    faint = style.mix(style.LEFT, style.PAPER, 0.8)
    assert count(panels[0], faint) == 0
    assert count(panels[1], faint) > 20


def test_everyone_is_drawn(sequence, poses):
    scene = make_scene(sequence, poses, limit=2, ground_truth=False)
    track = scene.tracks[0]
    beside = track.poses + np.float32([1.5, 1.5, 0])
    gone = np.full_like(beside, np.nan)
    partly = beside.copy()
    partly[0, scene.skeleton.index("l_wrist")] = np.nan

    def painted(*company):
        shown = dataclasses.replace(track, company=np.stack(company) if company else None)
        return Painter(dataclasses.replace(scene, tracks=(shown,)), 3).paint(0).crop((300, 0, 600, 270))

    def columns(picture):
        colours = [(np.asarray(picture) == colour).all(axis=-1) for colour in (style.LEFT, style.RIGHT)]
        return np.flatnonzero(np.any(colours, axis=(0, 1)))

    alone, two, absent = painted(), painted(beside), painted(gone)
    assert np.ptp(columns(two)) > 1.5 * np.ptp(columns(absent))
    # Who is not there changes nothing; a joint that is not known leaves the others.
    assert count(absent, style.LEFT) == pytest.approx(count(alone, style.LEFT), rel=0.05)
    assert 0.8 * count(two, style.LEFT) < count(painted(partly), style.LEFT) < count(two, style.LEFT)


def test_everyone_is_drawn_in_the_image(sequence, poses):
    scene = make_scene(sequence, poses, limit=2, ground_truth=False)
    width = np.ptp(scene.pose_2d[0, :, 0])
    beside = scene.pose_2d + np.float32([3 * width, 0])
    gone = np.full_like(beside, np.nan)

    def painted(*company):
        shown = dataclasses.replace(scene, company_2d=np.stack(company) if company else None)
        return Painter(shown, 3).paint(0).crop((0, 0, 300, 270))

    assert painted(gone) == painted()
    columns = [
        np.flatnonzero((np.asarray(picture) == style.LEFT).all(axis=-1).any(axis=0))
        for picture in (painted(), painted(beside))
    ]
    # The part of the image that is shown grows, so that both stand in it, one beside the other.
    assert np.ptp(columns[1]) > 1.5 * np.ptp(columns[0])
    assert np.diff(columns[1]).max() > 40
