import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tf_pose3d.camera import (
    Camera,
    camera_to_world,
    image_coordinates,
    normalize_screen_coordinates,
    project,
    project_pixels,
    quaternion_inverse,
    quaternion_rotate,
    quaternion_to_matrix,
    world_to_camera,
)
from tf_pose3d.errors import Pose3DError


def make_camera(**changes):
    values = {
        "id": "54138969",
        "width": 1000,
        "height": 1002,
        "focal_length": [1145.0494384765625, 1143.7811279296875],
        "center": [512.54150390625, 515.4514770507812],
        "radial": [-0.20709891617298126, 0.24777518212795258, -0.0030751503072679043],
        "tangential": [-0.0009756988729350269, -0.00142447161488235],
        "orientation": [0.1407056450843811, -0.1500701755285263, -0.755240797996521, 0.6223280429840088],
        "translation": [1.8411070556640625, 4.95528466796875, 1.5634454345703125],
    }
    return Camera(**(values | changes))


def random_quaternion(rng, *shape):
    quaternion = rng.normal(size=(*shape, 4))
    return quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def amass(golden):
    with np.load(golden / "sequences.npz") as file:
        return {key.removeprefix("amass/"): file[key] for key in file.files if key.startswith("amass/")}


def test_golden_world_to_camera(amass):
    for world, camera, expected in zip(amass["pose_world"], amass["camera18"], amass["pose_3d"], strict=True):
        result = world_to_camera(world, camera[:4], camera[4:7])
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=2e-6)
        np.testing.assert_allclose(camera_to_world(result, camera[:4], camera[4:7]), world, atol=2e-6)


def test_golden_projection(amass):
    intrinsics = amass["camera18"][:, None, None, 7:]
    result = project(amass["pose_3d"], intrinsics)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, amass["pose_2d"], atol=2e-6)


def test_golden_intrinsics(golden):
    with np.load(golden / "sequences.npz") as file:
        expected = file["n27_stride1/camera"][0]
    result = make_camera().intrinsics()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-7)


def test_extrinsics():
    camera = make_camera()
    np.testing.assert_array_equal(
        camera.extrinsics(), np.concatenate([camera.orientation, camera.translation]).astype(np.float32)
    )
    with pytest.raises(Pose3DError, match="camera 7 has no extrinsics"):
        make_camera(id="7", orientation=None, translation=None).extrinsics()


@given(st.integers(0, 1000), st.integers(100, 4000), st.integers(100, 4000))
def test_screen_normalisation_round_trip(seed, width, height):
    points = np.random.default_rng(seed).uniform(0, [width, height], (5, 2))
    normalised = normalize_screen_coordinates(points, width, height)
    assert np.abs(normalised[:, 0]).max() <= 1 + 1e-12
    assert np.abs(normalised[:, 1]).max() <= height / width + 1e-12
    np.testing.assert_allclose(image_coordinates(normalised, width, height), points, atol=1e-9)


def test_screen_normalisation_corners():
    corners = np.array([[0, 0], [1000, 1002], [500, 501]], np.float32)
    expected = [[-1, -1.002], [1, 1.002], [0, 0]]
    np.testing.assert_allclose(normalize_screen_coordinates(corners, 1000, 1002), expected, atol=1e-6)


@given(st.integers(0, 1000))
def test_quaternions_are_rotations(seed):
    rng = np.random.default_rng(seed)
    one, many, points = random_quaternion(rng), random_quaternion(rng, 6), rng.normal(size=(6, 3))
    matrix = quaternion_to_matrix(one)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    # Rotation of v by q is the vector part of q v q*.
    w, u = many[:, :1], many[:, 1:]
    t = 2 * np.cross(u, points)
    np.testing.assert_allclose(quaternion_rotate(many, points), points + w * t + np.cross(u, t), atol=1e-12)
    np.testing.assert_allclose(
        quaternion_rotate(one, points), quaternion_rotate(np.tile(one, (6, 1)), points), atol=1e-12
    )
    back = quaternion_rotate(quaternion_inverse(many), quaternion_rotate(many, points))
    np.testing.assert_allclose(back, points, atol=1e-12)


def test_pixels_and_normalised_projection_agree_inside_the_image():
    camera = make_camera()
    points = np.random.default_rng(0).uniform([-1.5, -1.5, 4], [1.5, 1.5, 6], (50, 17, 3)).astype(np.float32)
    pixels = project_pixels(points, camera)
    assert pixels.dtype == np.float32
    normalised = normalize_screen_coordinates(pixels, camera.width, camera.height)
    np.testing.assert_allclose(normalised, project(points, camera.intrinsics()), atol=1e-5)


def test_projection_without_distortion_is_a_pinhole():
    camera = make_camera(radial=np.zeros(3), tangential=np.zeros(2))
    points = np.array([[0.0, 0.0, 2.0], [1.0, -0.5, 4.0]])
    expected = points[:, :2] / points[:, 2:] * camera.focal_length + camera.center
    np.testing.assert_allclose(project_pixels(points, camera), expected)


def test_only_project_clamps_the_rays():
    camera = make_camera()
    inside, outside = np.array([[1.0, 0.5, 1.0]]), np.array([[3.0, 0.5, 1.0]])
    np.testing.assert_array_equal(project(outside, camera.intrinsics()), project(inside, camera.intrinsics()))
    assert not np.allclose(project_pixels(outside, camera), project_pixels(inside, camera))


def test_camera_is_read_only_and_checked():
    camera = make_camera()
    with pytest.raises(ValueError, match="read-only"):
        camera.center[0] = 0
    with pytest.raises(Pose3DError, match="camera 54138969: radial must be 3 finite numbers"):
        make_camera(radial=[0, 0])
    with pytest.raises(Pose3DError, match="center must be 2 finite numbers"):
        make_camera(center=[np.nan, 0])
    with pytest.raises(Pose3DError, match="image size 0x1002 must be positive"):
        make_camera(width=0)
