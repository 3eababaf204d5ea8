"""Columns of annotation files: what numbers they may hold."""

import numpy as np
import pytest

from tf_pose3d.data.multiview.annotations import number_column
from tf_pose3d.errors import Pose3DError


def test_numbers_below_the_least_are_refused():
    items = [{"camera_id": 2}, {"camera_id": 0}]
    column = number_column(items, "camera_id", "x.pkl", dtype=np.int32, least=0)
    np.testing.assert_array_equal(column, [2, 0])
    with pytest.raises(Pose3DError, match=r"x\.pkl: item 1 has a camera_id that is not between 1 and"):
        number_column(items, "camera_id", "x.pkl", dtype=np.int32, least=1)
