"""Motions as rigs, from every layout that has limbs."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.writers.rigged import check_frames, rig_of
from tf_pose3d.skeleton import convert_joints, get_skeleton


def test_poses_that_vary_are_fitted(motion):
    rough = dataclasses.replace(
        motion, poses=motion.poses + np.random.default_rng(0).normal(0, 0.01, motion.poses.shape)
    )
    rig = rig_of(Path("x.bvh"), rough)
    found = rig.positions()
    lengths = [np.linalg.norm(found[:, a] - found[:, b], axis=1) for a, b in motion.skeleton.bones]
    assert max(np.ptp(length) for length in lengths) < 1e-9
    held = rough.upright(rough.held())
    assert np.linalg.norm(found - held, axis=-1).mean() < 0.02


@pytest.mark.parametrize("layout", ["h36m_16", "humaneva_15", "mpi_inf_3dhp_17", "union_20"])
def test_layouts_with_a_pelvis(motion, layout):
    skeleton = get_skeleton(layout)
    poses = convert_joints(motion.poses, motion.skeleton, skeleton)
    rig = rig_of(Path("x.bvh"), dataclasses.replace(motion, poses=poses, keypoints=None, skeleton=skeleton))
    assert {"pelvis", "l_hip", "r_elbow"} <= set(rig.names)


def test_no_frames():
    with pytest.raises(Pose3DError, match=r"x\.glb: a GLB file holds 1 frame or more, these are 0"):
        check_frames(Path("x.glb"), 0)
