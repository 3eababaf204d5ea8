"""The two modules that compute the operation from arguments in normal form."""

from __future__ import annotations

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import loader
from tf_pose3d.ops.deform_psroi_pooling import compiled as compiled_module
from tf_pose3d.ops.deform_psroi_pooling import reference


@pytest.fixture(scope="session")
def compiled(compiled):
    """The compiled operation."""
    if loader.load("deform_psroi_pooling") is None:
        raise Pose3DError("a compiler is there but the operation did not load")
    return compiled_module


@pytest.fixture(params=["compiled", "reference"])
def implementation(request):
    """Each of the two."""
    return request.getfixturevalue("compiled") if request.param == "compiled" else reference
