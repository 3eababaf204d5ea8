import numpy as np
import pytest

from tf_pose3d.render.scene import make_scene
from tf_pose3d.render.view import View, fit_view, input_region


def test_viewer_on_the_x_axis_sees_y_to_the_right_and_z_up():
    view = View(azimuth=0.0, elevation=0.0, scale=100.0, centre=(50.0, 80.0))
    followed = np.zeros(2)
    x, y, depth = view.project(np.array([0.0, 0.2, 0.5]), followed)
    assert (x, y, depth) == pytest.approx((70.0, 30.0, 0.0))
    # Nearer to the viewer is larger.
    near, far = view.project(np.array([[1.0, 0.2, 0.0], [-1.0, 0.2, 0.0]]), followed)
    assert near[0] - 50 > 20 > far[0] - 50
    assert near[2] == pytest.approx(1.0)


def test_panel_follows_the_person():
    view = View(azimuth=30.0, elevation=15.0, scale=100.0, centre=(50.0, 80.0))
    here = view.project(np.array([[0.1, 0.2, 1.0]]), np.zeros(2))
    there = view.project(np.array([[5.1, -2.8, 1.0]]), np.array([5.0, -3.0]))
    np.testing.assert_allclose(here, there)


def test_every_pose_fits_into_the_box(sequence, poses):
    scene = make_scene(sequence, poses)
    view = fit_view(scene, (10, 40, 290, 290))
    true = scene.tracks[-1].poses
    seen = view.project(true, true[:, None, 0, :2])
    assert seen[..., 0].min() >= 10
    assert seen[..., 0].max() <= 290
    assert seen[..., 1].min() >= 40
    assert seen[..., 1].max() <= 290
    # And fills it in one direction.
    assert np.ptp(seen[..., 1]) > 200


def test_input_region_holds_the_person_or_the_image(sequence, poses):
    scene = make_scene(sequence, poses)
    left, top, side = input_region(scene, whole=False)
    assert (scene.pose_2d > (left, top)).all()
    assert (scene.pose_2d < (left + side, top + side)).all()
    left, top, side = input_region(scene, whole=True)
    width, height = scene.image_size
    assert side == max(width, height)
    assert (left, top) == ((width - side) / 2, (height - side) / 2)
