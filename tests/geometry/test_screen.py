"""Points on the normalised screen, as in TensorFlow and NumPy."""

import numpy as np
import tensorflow as tf

from tf_pose3d.camera import Camera
from tf_pose3d.data.projection import project
from tf_pose3d.geometry.screen import project_to_screen


def _camera(**lens):
    held = {"radial": np.zeros(3), "tangential": np.zeros(2), **lens}
    return Camera("c", 1000, 800, np.array([1100.0, 1150.0]), np.array([510.0, 390.0]), **held)


def test_with_distortion_it_is_the_data_s_own_projection():
    camera = _camera(radial=np.array([-0.2, 0.25, -0.01]), tangential=np.array([0.002, -0.003]))
    points = np.random.default_rng(0).normal(size=(2, 3, 5, 3)).astype("f4") + np.array([0, 0, 4], "f4")
    intrinsics = np.stack([camera.intrinsics()] * 2)
    ours = np.asarray(project_to_screen(tf.constant(points), tf.constant(intrinsics)))
    np.testing.assert_allclose(
        ours, project(tf.constant(points), tf.constant(intrinsics)), rtol=1e-5, atol=1e-6
    )


def test_without_distortion_by_hand():
    camera = _camera(radial=np.array([5.0, 5.0, 5.0]))
    points = np.array([[[[1.0, -0.5, 2.0], [9.0, 0.0, 1.0]]]], "f4")
    seen = np.asarray(
        project_to_screen(tf.constant(points), tf.constant(camera.intrinsics()[None]), linear=True)
    )
    # Pixels 510 + 1100 / 2 and 390 - 1150 / 4, normalised; the second is clamped to 45 degrees.
    np.testing.assert_allclose(seen[0, 0, 0], [(510 + 550) / 500 - 1, (390 - 287.5) / 500 - 0.8], rtol=1e-5)
    np.testing.assert_allclose(seen[0, 0, 1, 0], (510 + 1100) / 500 - 1, rtol=1e-5)
