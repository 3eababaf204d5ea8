"""What the tests of the compiled operations share."""

from __future__ import annotations

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import build, loader


@pytest.fixture(scope="session")
def compiled():
    """The compiled operations, built where they have not been; skips where there is no compiler."""
    if build.find_compiler() is None:
        pytest.skip("no C++ compiler")
    if loader.load() is None:
        raise Pose3DError("a compiler is there but the operations did not load")
