"""Joints of other skeletons found by their names."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.motion_files.asf_amc import parse_amc, parse_asf
from tf_pose3d.data.motion_files.bvh import parse_bvh
from tf_pose3d.data.motion_files.seventeen_joints import find_joints, seventeen_joints
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

JOINTS = get_skeleton("h36m_17").joints
# What CMU's conversions call it -> what others do.
OTHERS = {
    "mixamo": {name: f"mixamorig:{name}" for name in ("Hips", "LeftUpLeg", "LeftArm", "LeftForeArm", "Head")},
    "xsens": {
        "LeftUpLeg": "LeftHip",
        "LeftLeg": "LeftKnee",
        "LeftFoot": "LeftAnkle",
        "LeftShoulder": "LeftCollar",
        "LeftArm": "LeftShoulder",
        "LeftForeArm": "LeftElbow",
        "LeftHand": "LeftWrist",
        "Spine": "Chest",
        "Spine1": "Chest2",
    },
    "biped": {
        "LeftUpLeg": "Bip01 L Thigh",
        "LeftLeg": "Bip01 L Calf",
        "LeftFoot": "Bip01 L Foot",
        "LeftArm": "Bip01 L UpperArm",
        "LeftForeArm": "Bip01 L Forearm",
        "LeftHand": "Bip01 L Hand",
        "Neck": "Bip01 Neck",
    },
    "daz": {
        "RightUpLeg": "rThigh",
        "RightLeg": "rShin",
        "RightFoot": "rFoot",
        "RightShoulder": "rCollar",
        "RightArm": "rShldr",
        "RightForeArm": "rForeArm",
        "RightHand": "rHand",
        "Spine": "abdomen",
    },
}


@pytest.mark.parametrize("other", ["cmu", *OTHERS])
def test_names_of_many_programs(bvh_text, other):
    for name, renamed in OTHERS.get(other, {}).items():
        bvh_text = bvh_text.replace(f" {name}\n", f" {renamed}\n")
    motion = parse_bvh(bvh_text)
    poses = seventeen_joints(motion, find_joints(motion, "x.bvh"))
    at = {joint: poses[0, number].tolist() for number, joint in enumerate(JOINTS)}
    assert at["pelvis"] == [0, 87, 0]
    assert at["l_knee"] == [10, 47, 0]
    assert at["r_ankle"] == [-10, 5, 0]
    assert [at[joint][1] for joint in ("spine", "neck", "head", "head_top")] == [109, 135, 149, 161]
    assert at["l_shoulder"] == [18, 133, 0]
    assert at["r_wrist"] == [-71, 133, 0]


def test_acclaim_bones_end_at_the_joints(asf_text, amc_text):
    motion = parse_amc(amc_text, parse_asf(asf_text))
    found = find_joints(motion, "x.amc")
    assert {joint: motion.names[number] for joint, number in found.items()}["l_elbow"] == "lhumerus"
    poses = seventeen_joints(motion, found)
    lengths = np.linalg.norm(poses[:, JOINTS.index("l_knee")] - poses[:, JOINTS.index("l_hip")], axis=1)
    np.testing.assert_allclose(lengths, 7.16)


def test_a_spine_that_begins_at_the_hips_is_not_the_spine(bvh_text):
    motion = parse_bvh(bvh_text.replace("OFFSET 0 12 0\n\t\tCHANNELS", "OFFSET 0 -9 0\n\t\tCHANNELS", 1))
    assert motion.names[find_joints(motion, "x.bvh")["spine"]] == "Spine1"


def test_joints_without_a_usual_name_are_named(bvh_text):
    motion = parse_bvh(bvh_text.replace(" LeftUpLeg\n", " Oberschenkel.L\n"))
    with pytest.raises(Pose3DError, match=r"^x.bvh: no joint that is l_hip, .*--joints .*Oberschenkel"):
        find_joints(motion, "x.bvh")
    found = find_joints(motion, "x.bvh", {"l_hip": "Oberschenkel.L"})
    assert motion.names[found["l_hip"]] == "Oberschenkel.L"
    with pytest.raises(Pose3DError, match="no joint 'Thigh' for l_hip"):
        find_joints(motion, "x.bvh", {"l_hip": "Thigh"})
    with pytest.raises(Pose3DError, match="no joint 'nose' to name"):
        find_joints(motion, "x.bvh", {"nose": "Head"})
