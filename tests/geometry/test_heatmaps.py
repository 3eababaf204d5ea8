"""Heat-map targets."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.geometry.heatmaps import gaussian_heatmaps, heatmap_targets


def released_target(x, y, width, height, sigma):
    """The release's patch of a Gaussian, pasted where it meets the map."""
    target = np.zeros((height, width), np.float32)
    reach = int(3 * sigma)
    mx, my = int(x + 0.5), int(y + 0.5)
    for row in range(my - reach, my + reach + 1):
        for column in range(mx - reach, mx + reach + 1):
            if 0 <= row < height and 0 <= column < width:
                target[row, column] = np.exp(-((row - my) ** 2 + (column - mx) ** 2) / (2 * sigma**2))
    return target


@pytest.mark.parametrize("point", [(10.2, 7.6), (0.0, 0.0), (23.4, 15.4), (-2.0, 5.0), (12.5, 3.5)])
def test_a_target_is_the_release_s(point):
    maps, weights = heatmap_targets(tf.constant([point]), tf.constant([True]), (24, 16), 2.0)
    assert maps.shape == (16, 24, 1)
    assert weights.numpy() == 1
    np.testing.assert_allclose(maps[..., 0], released_target(*point, 24, 16, 2.0), atol=1e-6)


def test_hidden_joints_and_those_far_outside_have_no_target():
    points = tf.constant([[5.0, 5.0], [-9.0, 5.0], [5.0, 40.0], [5.0, 5.0]])
    visible = tf.constant([True, True, True, False])
    maps, weights = heatmap_targets(points, visible, (24, 16), 2.0)
    np.testing.assert_array_equal(weights, [1, 0, 0, 0])
    assert maps.numpy()[..., 1:].max() == 0
    assert maps.numpy()[..., 0].max() == 1


def test_batches_of_any_shape():
    points = tf.random.stateless_uniform([2, 3, 4, 2], [1, 2], 2, 14)
    maps, weights = heatmap_targets(points, tf.ones([2, 3, 4], tf.bool), (16, 16), 1.0)
    assert maps.shape == (2, 3, 16, 16, 4)
    one, _ = heatmap_targets(points[1, 2], tf.ones([4], tf.bool), (16, 16), 1.0)
    np.testing.assert_array_equal(maps[1, 2], one)
    assert weights.numpy().all()


def test_gaussians():
    keypoints = np.array([[[5.4, 3.5], [30, 3], [-2.6, 7], [np.nan, 2]]], "float32")
    maps = np.asarray(gaussian_heatmaps(keypoints, (12, 10), 1.0))
    rows, columns = np.mgrid[:10, :12]
    expected = np.exp(-(np.square(rows - 4) + np.square(columns - 5)) / 2)
    expected[(np.abs(rows - 4) > 3) | (np.abs(columns - 5) > 3)] = 0
    np.testing.assert_allclose(maps[0, ..., 0], expected, atol=1e-6)
    assert not maps[0, ..., 1].any()
    assert maps[0, 7, 0, 2] == pytest.approx(np.exp(-2))
    assert not maps[0, ..., 3].any()
