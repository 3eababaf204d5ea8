"""The chain's solver against a dense one, and against the recursion that it stands for."""

import numpy as np
import pytest

from tf_pose3d.inference.motion.chain import constant_velocity, solve_chain


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9, 33])
def test_against_a_dense_solver(count):
    rng = np.random.default_rng(count)
    size = 3
    upper = rng.normal(size=(count - 1, size, size))
    spread = rng.normal(size=(count, size, size))
    diagonal = spread @ spread.transpose(0, 2, 1) + 9 * np.eye(size)
    right = rng.normal(size=(count, size, 2))
    dense = np.zeros((count * size, count * size))
    for row in range(count):
        here = slice(row * size, (row + 1) * size)
        dense[here, here] = diagonal[row]
        if row + 1 < count:
            after = slice((row + 1) * size, (row + 2) * size)
            dense[here, after] = upper[row]
            dense[after, here] = upper[row].T
    expected = np.linalg.solve(dense, right.reshape(-1, 2)).reshape(right.shape)
    np.testing.assert_allclose(solve_chain(diagonal, upper, right), expected, atol=1e-12)


def test_further_axes_are_systems_of_their_own():
    rng = np.random.default_rng(0)
    diagonal = np.tile(4 * np.eye(2), (7, 5, 1, 1)) * rng.uniform(1, 2, (7, 5, 1, 1))
    upper, right = rng.normal(size=(6, 5, 2, 2)) * 0.5, rng.normal(size=(7, 5, 2, 3))
    together = solve_chain(diagonal, upper, right)
    alone = np.stack([solve_chain(diagonal[:, i], upper[:, i], right[:, i]) for i in range(5)], axis=1)
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_constant_velocity_noise():
    step, inverse = constant_velocity(0.5, 3.0)
    np.testing.assert_allclose(step @ [1.0, 2.0], [2.0, 2.0])
    np.testing.assert_allclose(np.linalg.inv(inverse), 3 * np.array([[1 / 24, 1 / 8], [1 / 8, 1 / 2]]))
