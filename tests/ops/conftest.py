"""What the tests of the deformable operations share."""

from __future__ import annotations

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import build, kernels, loader, reference


@pytest.fixture(scope="session")
def compiled():
    """The compiled operations, built where they have not been; skips where there is no compiler."""
    if build.find_compiler() is None:
        pytest.skip("no C++ compiler")
    if loader.load() is None:
        raise Pose3DError("a compiler is there but the operations did not load")
    return kernels


@pytest.fixture(params=["compiled", "reference"])
def implementation(request):
    """Each of the two modules that compute the operations from arguments in normal form."""
    return request.getfixturevalue("compiled") if request.param == "compiled" else reference
