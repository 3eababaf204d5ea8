"""Which way is up by a person's posture."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.inference.motion.posture import (
    FEATURES,
    JOINTS,
    LAYERS,
    MOST,
    SURE,
    WEIGHTS,
    Posture,
    lean,
    shipped_network,
)
from tf_pose3d.skeleton import get_skeleton

BODY = get_skeleton("h36m_17")


def posture(walk, resting=None):
    return Posture.of(walk.motion.poses, BODY, resting, 50)


def true_up(walk):
    return quaternion_to_matrix(walk.motion.camera.orientation)[2]


def test_what_the_network_reads(walk):
    resting = np.zeros((300, 2), bool)
    resting[:, 1] = True
    held = posture(walk, resting)
    assert held.joints.shape == (50, 13, 3)
    np.testing.assert_array_equal(held.resting, np.tile([0.0, 1.0], (50, 1)))
    features, axes = held.seen_from(true_up(walk))
    assert features.shape == (50, FEATURES)
    joints = features[:, :39].reshape(50, 13, 3)
    # Forward is where knees bend to; left is the left hip's side; the hips are a leg's length up.
    assert (joints[:, 0, 0] > joints[:, 1, 0]).all()
    assert 0.8 < joints[:, :2, 2].mean() < 1.0
    knees = joints[:, 2:4] - (joints[:, :2] + joints[:, 4:6]) / 2
    assert knees[..., 1].mean() > 0.02
    np.testing.assert_allclose(features[:, 39:41], held.resting)
    # Of unit length: the way that the camera looks, a little down.
    np.testing.assert_allclose(np.linalg.norm(features[:, 41:], axis=1), 1)
    assert (features[:, 43] < 0).all()
    np.testing.assert_allclose(np.cross(axes[:, 1], axes[:, 0]), np.tile(true_up(walk), (50, 1)), atol=1e-9)
    # Someone twice as tall looks alike.
    taller = Posture.of(2 * walk.motion.poses, BODY, resting, 50)
    np.testing.assert_allclose(taller.seen_from(true_up(walk))[0], features, atol=1e-6)


def test_people_turn_without_changing(walk):
    """But for where the camera is, posture is read in the person's own axes."""
    up = true_up(walk)
    cross = np.array([[0, -up[2], up[1]], [up[2], 0, -up[0]], [-up[1], up[0], 0]])
    turn = np.eye(3) + np.sin(1) * cross + (1 - np.cos(1)) * cross @ cross
    turned = Posture.of(walk.motion.poses @ turn.T, BODY, None, 50)
    np.testing.assert_allclose(
        turned.seen_from(up)[0][:, :41], posture(walk).seen_from(up)[0][:, :41], atol=1e-6
    )


def test_mirror_image(walk):
    held, up = posture(walk), true_up(walk)
    mirror = np.array([-1.0, 1.0, 1.0])
    features, _ = held.seen_from(up)
    mirrored, _ = held.mirrored().seen_from(up * mirror)
    joints, swapped = (found[:, :39].reshape(50, 13, 3) for found in (features, mirrored))
    for column, name in enumerate(JOINTS):
        other = JOINTS.index({"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:])
        np.testing.assert_allclose(swapped[:, other], joints[:, column] * mirror, atol=1e-9)
    np.testing.assert_allclose(mirrored[:, 41:], features[:, 41:] * mirror, atol=1e-9)


def test_numbers_of_the_network():
    """Two hidden layers, a bounded lean, the inverse of a variance."""
    network = [[np.zeros(shape) for shape in shapes] for shapes in LAYERS.values()]
    features = np.zeros((2, FEATURES))
    leans, weights = lean(features, network)
    np.testing.assert_array_equal(leans, 0)
    np.testing.assert_allclose(weights, SURE**-2)
    network[0][0][0, 0] = network[1][0][0, 1] = 1.0
    network[2][0][1] = [1.0, 0.0, -1.0, 100.0]
    features[:, 0] = [0.5, -0.5]
    leans, weights = lean(features, network)
    np.testing.assert_allclose(leans[0], [MOST * np.tanh(0.5), 0])
    np.testing.assert_allclose(weights[0], np.exp([-0.5, 4.0]) * SURE**-2)
    # Below zero nothing passes.
    np.testing.assert_array_equal(leans[1], 0)


@pytest.mark.parametrize("degrees", [-8, 8])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_shipped_network_sees_a_lean(walk, degrees, axis):
    """Taken to be up, a direction beside the truth is corrected by half of that or more."""
    up, held = true_up(walk), posture(walk)
    side = np.cross(up, [0, 0, 1])
    side /= np.linalg.norm(side)
    beside = (side, np.cross(up, side))[axis]
    taken = np.cos(np.radians(degrees)) * up + np.sin(np.radians(degrees)) * beside
    features, body = held.seen_from(taken)
    leans, weights = lean(features, shipped_network())
    assert np.isfinite(weights).all()
    found = taken + np.einsum("fi,fia->fa", leans, body).mean(axis=0)
    left = np.degrees(found @ beside)
    assert abs(left) < abs(degrees) / 2


def test_the_shipped_weights_are_small():
    assert WEIGHTS.stat().st_size < 40_000
    assert [[weight.shape for weight in layer] for layer in shipped_network()] == [
        list(shapes) for shapes in LAYERS.values()
    ]


def test_one_frame_and_no_legs(walk):
    """A single frame is read; legs without length divide by nothing."""
    one = Posture.of(walk.motion.poses[:1], BODY, None, 50)
    assert one.joints.shape == (1, 13, 3)
    flat = dataclasses.replace(one, joints=np.zeros((1, 13, 3)))
    features, axes = flat.seen_from(np.array([0.0, -1.0, 0.0]))
    assert np.isfinite(features).all()
    assert np.isfinite(axes).all()
    assert np.isfinite(Posture.of(np.zeros((3, 17, 3)), BODY, None, 50).joints).all()
