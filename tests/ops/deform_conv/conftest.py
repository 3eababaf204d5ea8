"""The two modules that compute the operation from arguments in normal form."""

from __future__ import annotations

import pytest

from tf_pose3d.ops.deform_conv import compiled as compiled_module
from tf_pose3d.ops.deform_conv import reference


@pytest.fixture(scope="session")
def compiled(compiled):
    """The compiled operation."""
    return compiled_module


@pytest.fixture(params=["compiled", "reference"])
def implementation(request):
    """Each of the two."""
    return request.getfixturevalue("compiled") if request.param == "compiled" else reference
