"""The body of spindles."""

import numpy as np

from tf_pose3d.inference.writers.bone_mesh import rest_places, spindles
from tf_pose3d.inference.writers.rigged import rig_of


def test_spindles_reach_from_joint_to_joint_and_face_outwards(motion, tmp_path):
    rig = rig_of(tmp_path / "x.glb", motion)
    mesh, places = spindles(rig), rest_places(rig)
    bones = sum(joint.parent >= 0 for joint in rig.joints) + sum(
        joint.end is not None for joint in rig.joints
    )
    assert len(mesh.points) == 24 * bones
    for number, joint in enumerate(rig.joints):
        mine = mesh.points[mesh.joint == number]
        if joint.end is not None:
            assert np.linalg.norm(mine - (places[number] + joint.end), axis=1).min() < 1e-6
    # Normals point away from the middle of their spindle.
    middles = mesh.points.reshape(-1, 24, 3).mean(axis=1)
    outwards = mesh.points.reshape(-1, 24, 3) - middles[:, None]
    corners = np.einsum("bpk,bpk->bp", outwards, mesh.normals.reshape(-1, 24, 3)).reshape(-1, 3).mean(axis=1)
    assert (corners > 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
