"""A short motion that all tests of writers share."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.motion import Motion


@pytest.fixture(scope="session")
def sequence():
    """Five frames of a walking person, camera 0, with truth."""
    return synthetic_sequences(["S9"], frames=5, actions=["Walking"], skeleton="h36m_17")[0]


@pytest.fixture
def motion(sequence):
    """The true poses round their root, without truth beside them; frame 2 has no pose."""
    poses = sequence.pose_3d - sequence.pose_3d[:, :1]
    poses[2] = np.nan
    return dataclasses.replace(Motion.from_sequence(sequence, poses, root=0), truth=None)
