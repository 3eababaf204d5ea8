from pathlib import Path

import pytest

from tf_pose3d.inference.writers.rig_names import RIG_NAMES, rig_names
from tf_pose3d.inference.writers.rigged import rig_of


@pytest.mark.parametrize("convention", RIG_NAMES)
def test_every_joint_has_a_name_of_its_own(motion, convention):
    rig = rig_of(Path("x.bvh"), motion)
    names = rig_names(rig, convention)
    assert len(set(names)) == len(names) == 18
    assert not set(names) & set(rig.names)
