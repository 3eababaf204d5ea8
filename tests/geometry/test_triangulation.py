import itertools

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.geometry import views
from tf_pose3d.geometry.triangulation import smallest_singular_vector, triangulate


@pytest.fixture(scope="module")
def scene(views_case):
    """True joints (mm) of the golden case, their pixels in four views, and the projection matrices."""
    projection = views_case["projection"]
    joints = views_case["joints_gt"][:, 0]
    pixels = np.asarray(views.project_points(joints[:, None], projection))
    return joints, pixels, projection


def straightforward(points, projection, weights=None):
    """The direct linear transform of one point, by LAPACK in float64."""
    rows = []
    for view in range(len(points)):
        matrix = projection[view].astype(np.float64)
        for axis in range(2):
            row = points[view, axis] * matrix[2] - matrix[axis]
            rows.append(row if weights is None else row * weights[view])
    solution = np.linalg.svd(np.stack(rows))[2][-1]
    return solution[:3] / solution[3]


def test_equal_to_the_release(views_case, close):
    from tf_pose3d.models.densewarper.config import DenseWarperConfig

    to_image = views.inverse_affine(views_case["affine"])
    used = DenseWarperConfig().used_joints
    pixels = views_case["softargmax_xy"][None, :, :2].transpose(0, 1, 3, 2)[:, :, used]
    places, valid = triangulate(views.image_points(pixels, to_image), views_case["projection"])
    close(places, views_case["triangulated"])
    assert np.asarray(valid).all()


@pytest.mark.parametrize("method", ["dlt", "confidence", "ransac"])
def test_exact_pixels_give_the_true_places(scene, method):
    joints, pixels, projection = scene
    confidence = np.random.default_rng(0).uniform(0.3, 1, pixels.shape[:-1]).astype("float32")
    places, valid = triangulate(pixels, projection, confidence, method)
    np.testing.assert_allclose(places, joints, atol=0.05)
    assert np.asarray(valid).all()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_any_number_of_views_equals_lapack(scene, count):
    _, pixels, projection = scene
    noisy = pixels + np.random.default_rng(1).normal(size=pixels.shape).astype("float32") * 10
    places, _ = triangulate(noisy[:, :count], projection[:, :count])
    for joint in range(pixels.shape[2]):
        expected = straightforward(noisy[0, :count, joint], projection[0, :count])
        np.testing.assert_allclose(places[0, joint], expected, atol=0.05)


def test_confidence_weights_the_equations(scene):
    _, pixels, projection = scene
    rng = np.random.default_rng(2)
    noisy = pixels + rng.normal(size=pixels.shape).astype("float32") * 10
    confidence = rng.uniform(0.1, 1, pixels.shape[:-1]).astype("float32")
    places, _ = triangulate(noisy, projection, confidence, "confidence")
    for joint in range(pixels.shape[2]):
        expected = straightforward(noisy[0, :, joint], projection[0], confidence[0, :, joint])
        np.testing.assert_allclose(places[0, joint], expected, atol=0.05)


def test_ransac_leaves_out_views_that_disagree(scene):
    joints, pixels, projection = scene
    wrong = pixels.copy()
    for joint in range(wrong.shape[2]):
        wrong[0, joint % 4, joint] += [150, -90]
    places, _ = triangulate(wrong, projection, method="ransac")
    np.testing.assert_allclose(places, joints, atol=0.05)
    plain, _ = triangulate(wrong, projection)
    assert np.linalg.norm(np.asarray(plain) - joints, axis=-1).min() > 20


def test_ransac_keeps_all_views_where_no_two_agree(scene):
    _, pixels, projection = scene
    wrong = pixels + np.random.default_rng(3).uniform(-400, 400, pixels.shape).astype("float32")
    places, _ = triangulate(wrong, projection, method="ransac", threshold=1e-3)
    plain, _ = triangulate(wrong, projection)
    np.testing.assert_allclose(places, plain, rtol=1e-4)


@pytest.mark.parametrize("method", ["dlt", "confidence", "ransac"])
def test_fewer_than_two_usable_views_give_nan_and_a_mask(scene, method):
    joints, pixels, projection = scene
    confidence = np.ones(pixels.shape[:-1], "float32")
    confidence[0, :3, 0] = 0.005  # one view is left
    confidence[0, :, 1] = 0  # none
    confidence[0, :2, 2] = 0  # two
    broken = pixels.copy()
    broken[0, :3, 3] = np.nan
    broken[0, 0, 4] = np.inf
    for least in (0.01,):
        places, valid = triangulate(broken, projection, confidence, method, least)
    expected = np.ones(17, bool)
    expected[[0, 1, 3]] = False
    np.testing.assert_array_equal(valid[0], expected)
    assert np.isnan(np.asarray(places)[0, ~expected]).all()
    np.testing.assert_allclose(np.asarray(places)[0, expected], joints[0, expected], atol=0.1)


def test_without_a_least_confidence_all_views_are_used(scene):
    _, pixels, projection = scene
    moved = pixels.copy()
    moved[0, 0] = 0  # where the soft-argmax sees nothing
    confidence = np.ones(pixels.shape[:-1], "float32")
    confidence[0, 0] = 0
    places, valid = triangulate(moved, projection, confidence, least=0.0)
    assert np.asarray(valid).all()
    np.testing.assert_allclose(places[0, 5], straightforward(moved[0, :, 5], projection[0]), rtol=1e-3)


def test_leading_axes_and_graphs(scene):
    joints, pixels, projection = scene
    frames = np.stack([pixels, pixels + 3], 1)
    run = tf.function(lambda p: triangulate(p, projection[:, None], method="ransac"), jit_compile=True)
    places, valid = run(tf.constant(frames))
    assert places.shape == (1, 2, 17, 3)
    assert valid.shape == (1, 2, 17)
    np.testing.assert_allclose(places[:, 0], joints, atol=0.05)


def test_no_gradient_flows_back(scene):
    _, pixels, projection = scene
    pixels = tf.constant(pixels)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        loss = tf.reduce_sum(triangulate(pixels, projection)[0])
    assert tape.gradient(loss, pixels) is None


def test_an_unknown_method_is_named(scene):
    with pytest.raises(ValueError, match="'svd', expected dlt"):
        triangulate(scene[1], scene[2], method="svd")


def test_singular_vectors_of_columns_of_very_different_length():
    rng = np.random.default_rng(5)
    matrices = rng.normal(size=(200, 8, 4)) * [1e3, 1e3, 1e2, 3e6]
    columns = [tf.constant(matrices[..., i].T, tf.float32) for i in range(4)]
    found = np.asarray(smallest_singular_vector(columns)).T
    expected = np.linalg.svd(matrices.astype("float32").astype(float))[2][:, -1]
    # Directions, apart from the length that the line below allows rounding.
    agreement = np.abs(np.sum(found * expected, -1)) / np.linalg.norm(found, axis=-1)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-5)
    assert agreement.min() > 1 - 1e-6


@pytest.mark.parametrize("matrix", [np.zeros((8, 4)), np.ones((8, 4)), np.eye(8, 4)])
def test_singular_vectors_of_degenerate_matrices_are_finite(matrix):
    columns = [tf.constant(matrix[:, i : i + 1], tf.float32) for i in range(4)]
    vector = np.asarray(smallest_singular_vector(columns))[:, 0]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    singular = np.linalg.svd(matrix, compute_uv=False)[-1]
    assert np.linalg.norm(matrix @ vector) == pytest.approx(singular, abs=1e-5)


def test_pairs_of_six_views(scene):
    joints, pixels, projection = scene
    pixels, projection = (np.concatenate([a, a[:, :2]], 1) for a in (pixels, projection))
    assert len(list(itertools.combinations(range(6), 2))) == 15
    places, _ = triangulate(pixels, projection, method="ransac")
    np.testing.assert_allclose(places, joints, atol=0.05)
