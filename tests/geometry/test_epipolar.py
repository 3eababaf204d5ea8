import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.geometry import views
from tf_pose3d.geometry.epipolar import epipolar_lines, epipolar_maximum
from tf_pose3d.ops import dispatch

PAIRS = [(own, other) for own in range(4) for other in range(4) if own != other]


@pytest.fixture(params=["compiled", "reference"])
def _either_way(request):
    """Runs a test once with the compiled search along lines, where there is one, and once with keras.ops."""
    with dispatch.without_compiled(*(["line_maximum"] if request.param == "reference" else [])):
        yield


def cameras(case):
    return case["affine"], case["intrinsics"], case["R"], case["centre"]


@pytest.mark.usefixtures("_either_way")
def test_maxima_equal_the_release(views_case, close):
    lines = epipolar_lines(*cameras(views_case), 16, 16, PAIRS)
    found = epipolar_maximum(tf.constant(views_case["maps"][None]), lines, PAIRS)
    expected = views_case["epipolar_max"].reshape(1, 12, 20, 16, 16).transpose(0, 1, 3, 4, 2)
    close(found, expected)


def test_a_joint_lies_on_the_line_of_its_pixel(views_case):
    projection = np.asarray(views_case["projection"])
    joints = views_case["joints_gt"][:, 0, None]
    pixels = np.asarray(views.image_points(views.project_points(joints, projection), views_case["affine"]))
    # Crops that put a joint on the heat map's pixel (0, 0) draw the line of that pixel through it.
    for own, other in PAIRS:
        affine = views_case["affine"].copy()
        affine[0, own, :, 2] -= pixels[0, own, 5]
        case = {**views_case, "affine": affine}
        ends = np.asarray(epipolar_lines(*cameras(case), 1, 1, [(own, other)]))[0, 0, 0].astype(float)
        direction = (ends[2:] - ends[:2]) / np.linalg.norm(ends[2:] - ends[:2])
        away = pixels[0, other, 5] - ends[:2]
        assert abs(direction[0] * away[1] - direction[1] * away[0]) < 0.01


@pytest.mark.parametrize("batch", [1, 3])
def test_batches_and_two_views(views_case, batch):
    pairs = [(0, 1), (1, 0)]
    two = [np.repeat(array[:, 1:3], batch, 0) for array in cameras(views_case)]
    maps = np.random.default_rng(0).uniform(size=(batch, 2, 16, 16, 3)).astype("float32")
    together = np.asarray(epipolar_maximum(maps, epipolar_lines(*two, 16, 16, pairs), pairs))
    for item in range(batch):
        one = [array[item : item + 1] for array in two]
        alone = epipolar_maximum(maps[item : item + 1], epipolar_lines(*one, 16, 16, pairs), pairs)
        np.testing.assert_array_equal(together[item], alone[0])


def degenerate(case, kind):
    """Cameras of views 0 and 1 whose epipolar geometry breaks down."""
    affine, intrinsics, rotation, centre = (np.array(array[:, :2]) for array in cameras(case))
    if kind == "one place":
        centre[:, 1] = centre[:, 0]
    elif kind == "parallel":
        rotation[:, 1] = rotation[:, 0]
        intrinsics[:, 1], affine[:, 1] = intrinsics[:, 0], affine[:, 0]
        centre[:, 1] = centre[:, 0] + rotation[:, 0].swapaxes(-1, -2) @ np.array([500, 0, 0], "float32")
    elif kind == "behind each other":
        rotation[:, 1] = rotation[:, 0]
        centre[:, 1] = centre[:, 0] + rotation[:, 0].swapaxes(-1, -2) @ np.array([0, 0, 1000], "float32")
    elif kind == "in the camera's plane":
        # What view 0 shows at 1 m lies in the plane of view 1.
        rotation[:, 1] = rotation[:, 0]
        centre[:, 1] = centre[:, 0] + rotation[:, 0].swapaxes(-1, -2) @ np.array([300, 0, 1000], "float32")
    return affine, intrinsics, rotation, centre


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("kind", ["one place", "parallel", "behind each other", "in the camera's plane"])
def test_degenerate_geometry_gives_finite_values_and_gradients(views_case, kind):
    pairs = [(0, 1), (1, 0)]
    maps = tf.constant(views_case["maps"][None, :2])
    with tf.GradientTape() as tape:
        tape.watch(maps)
        lines = epipolar_lines(*degenerate(views_case, kind), 16, 16, pairs)
        found = epipolar_maximum(maps, lines, pairs)
        loss = tf.reduce_sum(tf.square(found))
    gradient = tape.gradient(loss, maps)
    assert np.isfinite(found).all()
    assert np.isfinite(gradient).all()
    if kind == "one place":
        assert not np.any(found)
    if kind == "parallel":  # lines are rows
        rows = np.maximum(np.max(maps[:, 1], axis=2), 0)
        np.testing.assert_allclose(found[:, 0], np.repeat(rows[:, :, None], 16, 2), atol=1e-6)
