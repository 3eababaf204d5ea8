import numpy as np
import pytest

from tf_pose3d.geometry import views


def test_projection_and_fundamental_matrices_equal_the_release(views_case, close):
    cameras = (views_case["intrinsics"], views_case["R"], views_case["centre"])
    close(views.projection_matrix(*cameras), views_case["projection"])
    close(views.fundamental_matrix(*cameras), views_case["fundamental"])


def test_fundamental_matrices_hold_for_projections(views_case):
    cameras = (views_case["intrinsics"], views_case["R"], views_case["centre"])
    projection = np.asarray(views.projection_matrix(*cameras))
    points = np.random.default_rng(0).normal(size=(1, 1, 9, 3)).astype("float32") * 500
    pixels = np.asarray(views.project_points(points, projection))
    pixels = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1)
    matrix = np.asarray(views.fundamental_matrix(*cameras))
    for i in range(4):
        for j in range(4):
            lines = pixels[0, j] @ matrix[0, i, j].T
            distance = np.abs(np.sum(lines * pixels[0, i], -1))
            assert np.all(distance <= 0.05 * np.linalg.norm(lines[:, :2], axis=-1) + 1e-12)


def test_affine_maps_and_camera_matrices_invert(views_case):
    affine = np.asarray(views_case["affine"]).copy()
    affine[0, 1, 0, 1] = 0.01  # turned crops have these
    affine[0, 1, 1, 0] = -0.02
    points = np.random.default_rng(1).uniform(0, 1000, (1, 4, 5, 2)).astype("float32")
    there = views.image_points(points, affine)
    np.testing.assert_allclose(views.image_points(there, views.inverse_affine(affine)), points, atol=2e-2)
    product = np.asarray(views.camera_matrix(views_case["intrinsics"])) @ np.asarray(
        views.inverse_camera_matrix(views_case["intrinsics"])
    )
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-4)


def test_heat_map_pixels_are_a_quarter_of_input_pixels():
    crop = np.array([[0.5, 0.1, 20], [-0.1, 0.5, -8]], "float32")
    np.testing.assert_allclose(views.heatmap_affine(crop), crop / 4)


@pytest.mark.parametrize("depth", [0.0, 1e-12, -1e-12])
def test_points_in_the_cameras_plane_are_far_away_and_finite(depth):
    found = np.asarray(views.dehomogenise(np.array([[3.0, -2.0, depth]], "float32")))
    assert np.isfinite(found).all()
    assert np.abs(found).min() > 1e7
