"""How tall someone is."""

import pytest

from tf_pose3d.inference.motion.stature import standing_height
from tf_pose3d.skeleton import get_skeleton


def test_from_the_bones(walk):
    height = standing_height(walk.world, walk.motion.skeleton)
    assert 1.5 < height < 1.95
    assert standing_height(2 * walk.world, walk.motion.skeleton) == pytest.approx(2 * height)


def test_layouts_that_lack_a_head(walk):
    assert standing_height(walk.world, get_skeleton("coco_17")) is None
    assert standing_height(walk.world[:0], walk.motion.skeleton) is None
