"""BVH files: their hierarchy, and that forward kinematics of what they say gives the poses back."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.trajectory import feet_on_floor
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.inference.writers.bvh import bvh_text, constant_bones
from tf_pose3d.skeleton import get_skeleton, joint_indices


def axis_rotation(axis, degrees):
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    return {
        "X": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "Y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "Z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def forward_kinematics(text):
    """(joint -> parent, joint -> (F, 3)) of a BVH file, read by the format's definition alone.

    An end site is named after its joint.
    """
    head, motion = text.split("MOTION\n")
    words = iter(head.split())
    assert next(words) == "HIERARCHY"
    joints, stack = {}, []
    for word in words:
        if word in ("ROOT", "JOINT", "End"):
            name = next(words)
            if word == "End":
                name = f"{stack[-1]}/end"
            joints[name] = {"parent": stack[-1] if stack else None, "channels": []}
            stack.append(name)
        elif word == "OFFSET":
            joints[stack[-1]]["offset"] = np.array([float(next(words)) for _ in range(3)])
        elif word == "CHANNELS":
            joints[stack[-1]]["channels"] = [next(words) for _ in range(int(next(words)))]
        elif word == "}":
            stack.pop()
    assert not stack
    lines = motion.splitlines()
    frames = [np.array(line.split(), float) for line in lines[2:]]
    assert lines[0] == f"Frames: {len(frames)}"
    places = {name: [] for name in joints}
    for frame in frames:
        values, pose = iter(frame), {}
        for name, joint in joints.items():
            above = pose.get(joint["parent"], (np.zeros(3), np.eye(3)))
            shift, turn = joint["offset"].copy(), np.eye(3)
            for channel in joint["channels"]:
                value = next(values)
                if channel.endswith("position"):
                    shift["XYZ".index(channel[0])] += value
                else:
                    turn = turn @ axis_rotation(channel[0], value)
            pose[name] = (above[0] + above[1] @ shift, above[1] @ turn)
            places[name].append(pose[name][0])
        assert next(values, None) is None
    return {name: joint["parent"] for name, joint in joints.items()}, {
        name: np.array(place) for name, place in places.items()
    }


@pytest.fixture(scope="module")
def recording():
    return synthetic_sequences(["S11"], frames=40, actions=["Sitting"], skeleton="h36m_17")[1]


@pytest.mark.parametrize("layout", ["h36m_17", "h36m_16", "uplift_17"])
def test_forward_kinematics_gives_the_poses_back(recording, layout):
    skeleton = get_skeleton(layout)
    poses = recording.pose_3d[:, joint_indices("h36m_17", layout)]
    parents, places = forward_kinematics(bvh_text(poses, skeleton, 50))
    expected = constant_bones(poses, skeleton) * [1, -1, -1]
    for index, joint in enumerate(skeleton.joints):
        held = places.get(joint)
        if held is None:
            # A joint at the end of a limb: its parent's end site, or that of the joint between.
            above = skeleton.joints[skeleton.parents[index]]
            held = places.get(f"{above}/end", places.get(f"{above}_to_{joint}/end"))
        np.testing.assert_allclose(held, expected[:, index], atol=2e-5)
    # Bones of a body of constant size hardly change.
    np.testing.assert_allclose(expected * [1, -1, -1], poses, atol=2e-3)
    assert parents[skeleton.joints[skeleton.root]] is None


def test_hierarchy(recording):
    text = bvh_text(recording.pose_3d, recording.skeleton, 50)
    parents, _ = forward_kinematics(text)
    assert parents["l_knee"] == "l_hip"
    assert parents["l_hip"] == "pelvis_to_l_hip"
    assert parents["pelvis_to_l_hip"] == "pelvis"
    assert parents["r_elbow/end"] == "r_elbow"
    assert "Frame Time: 0.02000000" in text
    assert text.count("CHANNELS 6") == 1


def test_rest_pose_stands_upright():
    skeleton = get_skeleton("h36m_17")
    upright = {"pelvis": (0, 0, 0), "spine": (0, -0.2, 0), "neck": (0, -0.5, 0), "head": (0, -0.6, 0)}
    upright["head_top"] = (0, -0.7, 0)
    for side, sign in (("l", 1), ("r", -1)):
        for joint, (x, y) in {
            "hip": (0.1, 0),
            "knee": (0.1, 0.4),
            "ankle": (0.1, 0.8),
            "shoulder": (0.15, -0.5),
            "elbow": (0.4, -0.5),
            "wrist": (0.6, -0.5),
        }.items():
            upright[f"{side}_{joint}"] = (sign * x, y, 0)
    pose = np.array([[upright[joint] for joint in skeleton.joints]])
    text = bvh_text(pose, skeleton, 30)
    angles = np.array(text.splitlines()[-1].split(), float)[3:]
    np.testing.assert_allclose(angles, 0, atol=1e-5)


def test_a_bone_that_points_back_along_its_rest_pose():
    skeleton = get_skeleton("h36m_17")
    pose = np.array([[[0, 0, 0]] * 17], float)
    for child in range(1, 17):
        # Every bone downwards, the spine included: opposite to its rest pose.
        pose[0, child] = pose[0, skeleton.parents[child]] + [0.001 * child, 0.3, 0]
    pose[0, skeleton.index("spine")] = [0, 0.3, 0]
    _, places = forward_kinematics(bvh_text(pose, skeleton, 30))
    expected = constant_bones(pose, skeleton) * [1, -1, -1]
    np.testing.assert_allclose(places["neck"], expected[:, skeleton.index("neck")], atol=1e-4)
    assert np.isfinite(np.concatenate(list(places.values()))).all()


def test_the_last_pose_is_held_where_there_is_none(motion, tmp_path):
    write_motion(tmp_path / "poses.bvh", motion)
    frames = (tmp_path / "poses.bvh").read_text().splitlines()[-5:]
    assert frames[2] == frames[1] != frames[3]


def test_no_pose_at_all_is_refused(motion, tmp_path):
    nothing = dataclasses.replace(motion, poses=np.full_like(motion.poses, np.nan))
    with pytest.raises(Pose3DError, match="none of the 5 frames has a pose"):
        write_motion(tmp_path / "poses.bvh", nothing)
    with pytest.raises(Pose3DError, match="1 frame or more, these are 0"):
        write_motion(
            tmp_path / "poses.bvh", dataclasses.replace(nothing, poses=motion.poses[:0], keypoints=None)
        )
    assert not list(tmp_path.iterdir())


def test_poses_of_one_skeleton_come_out_where_they_are(recording):
    """With `--constant_bones` a .bvh holds the joints of the .json, in every placement."""
    noise = np.random.default_rng(0).normal(0, 0.02, recording.pose_3d.shape)
    fitted = fit_skeleton(recording.pose_3d + noise, recording.skeleton)
    np.testing.assert_allclose(constant_bones(fitted, recording.skeleton), fitted, atol=1e-4)
    placed = feet_on_floor(fitted)
    lowest = constant_bones(placed, recording.skeleton)[..., 1].max(axis=1)
    np.testing.assert_allclose(lowest, 0, atol=1e-4)
