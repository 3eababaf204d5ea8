"""BVH files: their hierarchy, and that forward kinematics of what they say gives the poses back."""

import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.motion.rig import fit_rig
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import write_motion
from tf_pose3d.inference.writers.bvh import bvh_text
from tf_pose3d.inference.writers.rig_names import rig_names
from tf_pose3d.skeleton import get_skeleton, joint_indices, make_skeleton


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


def upright_fit(recording, layout="h36m_17"):
    skeleton = get_skeleton(layout)
    fitted = fit_skeleton(recording.pose_3d[:, joint_indices("h36m_17", layout)].astype(float), skeleton)
    return fitted * [1, -1, -1], skeleton


@pytest.mark.parametrize("layout", ["h36m_17", "h36m_16", "uplift_17"])
def test_forward_kinematics_gives_the_poses_back(recording, layout):
    poses, skeleton = upright_fit(recording, layout)
    rig = fit_rig(poses, skeleton, 50)
    _, places = forward_kinematics(bvh_text(rig))
    names = dict(zip(rig.names, rig_names(rig, "mixamo"), strict=True))
    for index, joint in enumerate(skeleton.joints):
        held = (
            places[names[joint]]
            if joint in names
            else places["Neck/end" if layout == "h36m_16" else "Head/end"]
        )
        np.testing.assert_allclose(held, poses[:, index], atol=3e-5)


@pytest.mark.parametrize(
    ("convention", "hips", "thigh", "chest"),
    [
        ("mixamo", "Hips", "LeftUpLeg", "Spine"),
        ("cmu", "Hips", "LeftUpLeg", "Spine1"),
        ("h36m", "Hip", "LHip", "Spine"),
    ],
)
def test_hierarchy(recording, convention, hips, thigh, chest):
    text = bvh_text(fit_rig(*upright_fit(recording), 50), convention)
    parents, _ = forward_kinematics(text)
    assert parents[hips] is None
    assert parents[thigh] == hips
    assert parents[chest] == hips
    ends = [name for name in parents if name.endswith("/end")]
    assert len(ends) == 5  # head, hands, toes
    assert "Frame Time: 0.02000000" in text
    assert text.count("CHANNELS 6") == 1
    offsets = [np.array(line.split()[1:], float) for line in text.splitlines() if "OFFSET" in line]
    assert min(np.linalg.norm(offset) for offset in offsets[1:]) > 0.03  # no bone without length


def test_names_that_nobody_knows(recording):
    with pytest.raises(Pose3DError, match="names of bones 'maya', expected mixamo, cmu, h36m"):
        bvh_text(fit_rig(*upright_fit(recording), 50), "maya")


def test_layouts_without_a_pelvis_are_turned_into_one_or_refused(motion, tmp_path):
    coco = dataclasses.replace(motion, skeleton=get_skeleton("coco_17"))
    write_motion(tmp_path / "x.bvh", coco)
    assert "LeftUpLeg" in (tmp_path / "x.bvh").read_text()
    face = dataclasses.replace(
        motion,
        poses=motion.poses[:, :3],
        keypoints=None,
        skeleton=make_skeleton("face", ("nose", "l_eye", "r_eye")),
    )
    with pytest.raises(
        Pose3DError, match=r"x\.bvh: joint rotations need a pelvis .* layout face lacks pelvis"
    ):
        write_motion(tmp_path / "x.bvh", face)


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


def test_levelled_motion_is_y_up(motion, tmp_path):
    (staged,) = run_stage([motion], MotionSteps.for_file("x.bvh"))
    write_motion(tmp_path / "x.bvh", staged.motion)
    _, places = forward_kinematics((tmp_path / "x.bvh").read_text())
    held = staged.motion.upright(staged.motion.held())
    np.testing.assert_allclose(places["LeftLeg"], held[:, motion.skeleton.index("l_knee")], atol=3e-5)
    joints = np.stack([place for name, place in places.items() if not name.endswith("/end")], axis=1)
    np.testing.assert_allclose(joints[..., 1].min(axis=1), 0, atol=1e-4)
