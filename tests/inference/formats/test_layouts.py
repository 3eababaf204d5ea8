import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.layouts import named_joints


def test_names_of_any_length_make_a_short_line():
    with pytest.raises(
        Pose3DError, match=r"none of its body parts \(a\\x00\\x00.*has a known name"
    ) as caught:
        named_joints(["a" + 2000 * "\0", *("b" * 50 for _ in range(40))], "x.h5")
    assert len(str(caught.value)) < 600
