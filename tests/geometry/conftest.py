"""The golden case of DenseWarper's geometry: four real cameras of Human3.6M and Gaussian heat maps."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def views_case(golden):
    """Arrays of the case, with cameras as the package has them: `intrinsics`, `centre`, `affine`, `maps`."""
    with np.load(golden / "densewarper" / "h36m_small" / "forward.npz") as file:
        arrays = dict(file)
    matrix = arrays["K"]
    arrays["intrinsics"] = np.stack(
        [matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 0, 2], matrix[..., 1, 2]], -1
    )
    arrays["centre"] = arrays["T"][..., 0]
    arrays["affine"] = arrays["affine"][..., :2, :]
    arrays["maps"] = arrays["heatmaps_gaussian"].transpose(0, 2, 3, 1)
    return arrays


@pytest.fixture(scope="session")
def close():
    """Asserts equality within 1e-4 of each number, or of 1."""

    def check(actual, expected):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape
        assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4

    return check
