import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import LAYOUTS, convert_joints, get_skeleton, joint_indices

layouts = pytest.mark.parametrize("name", sorted(LAYOUTS))
SIZES = {
    "h36m_32": 32,
    "h36m_17": 17,
    "h36m_16": 16,
    "uplift_17": 17,
    "amass_17": 17,
    "union_20": 20,
    "mpi_inf_3dhp_17": 17,
    "mpi_inf_3dhp_28": 28,
    "humaneva_15": 15,
    "humaneva_20": 20,
    "coco_17": 17,
    "openpose_25": 25,
    "openpose_18": 18,
    "mediapipe_33": 33,
    "halpe_26": 26,
    "openpose_25b": 25,
    "openpose_15": 15,
    "mpii_16": 16,
    "crowdpose_14": 14,
    "aic_14": 14,
    "kinect_25": 25,
    "azure_kinect_32": 32,
}


def test_every_layout_has_its_number_of_joints():
    assert {name: skeleton.num_joints for name, skeleton in LAYOUTS.items()} == SIZES


@layouts
def test_layout_is_a_tree_with_mirrored_sides(name):
    skeleton = get_skeleton(name)
    assert len(set(skeleton.joints)) == skeleton.num_joints
    assert [i for i, parent in enumerate(skeleton.parents) if parent < 0] == [skeleton.root]
    for joint in range(skeleton.num_joints):
        steps = 0
        while joint != skeleton.root:
            joint, steps = skeleton.parents[joint], steps + 1
            assert steps < skeleton.num_joints
    flip = skeleton.flip_order
    assert [flip[flip[i]] for i in range(len(flip))] == list(range(len(flip)))
    assert len(skeleton.left) == len(skeleton.right)
    assert set(skeleton.left).isdisjoint(skeleton.right)
    assert len(skeleton.bones) == skeleton.num_joints - 1
    # Mirroring the names gives the flipped order, and the hierarchy is symmetric.
    mirrored = {
        joint: {"l_": "r_", "r_": "l_"}.get(joint[:2], joint[:2]) + joint[2:] for joint in skeleton.joints
    }
    assert [skeleton.joints[i] for i in flip] == [mirrored[joint] for joint in skeleton.joints]
    for parent, child in skeleton.bones:
        assert skeleton.parents[flip[child]] == flip[parent]


def test_published_index_facts():
    assert get_skeleton("uplift_17").flip_order == (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 10, 16, 15, 14, 13, 12, 11)
    assert get_skeleton("uplift_17").root == 6
    h36m = get_skeleton("h36m_17")
    assert (h36m.left, h36m.right) == ((4, 5, 6, 11, 12, 13), (1, 2, 3, 14, 15, 16))
    assert h36m.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    kept = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    assert joint_indices("h36m_32", "h36m_17").tolist() == kept
    assert joint_indices("h36m_17", "h36m_16").tolist() == [i for i in range(17) if i != 9]
    humaneva = get_skeleton("humaneva_15")
    assert humaneva.parents == (-1, 0, 1, 2, 3, 1, 5, 6, 0, 8, 9, 0, 11, 12, 1)
    assert (humaneva.left, humaneva.right) == ((2, 3, 4, 8, 9, 10), (5, 6, 7, 11, 12, 13))
    markers = get_skeleton("humaneva_20")
    assert markers.left == (3, 4, 5, 6, 11, 12, 13, 14)
    assert markers.right == (7, 8, 9, 10, 15, 16, 17, 18)
    assert markers.parents == (-1, 0, 1, 1, 3, 4, 5, 1, 7, 8, 9, 0, 11, 12, 13, 0, 15, 16, 17, 2)
    used = [i for i in range(20) if i not in (8, 10, 13)]
    union = get_skeleton("union_20")
    assert tuple(union.joints[i] for i in used) == h36m.joints
    # The 17 points that MPI-INF-3DHP evaluates, of its 28.
    assert joint_indices("mpi_inf_3dhp_28", "mpi_inf_3dhp_17").tolist() == (
        [4, 7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 3, 6]
    )


@pytest.mark.parametrize(
    "names", [("uplift_17", "amass_17"), ("h36m_17", "uplift_17"), ("amass_17", "h36m_17")]
)
def test_joint_indices_there_and_back(names):
    there, back = joint_indices(*names), joint_indices(*reversed(names))
    assert there[back].tolist() == list(range(17))


def test_joint_indices_names_the_missing_joint():
    with pytest.raises(Pose3DError, match=r"h36m_16 lacks head of layout h36m_17"):
        joint_indices("h36m_16", "h36m_17")


def test_unknown_layout_names_the_nearest():
    with pytest.raises(Pose3DError, match=r"'h36m17'.*did you mean 'h36m_17'\?.*coco_17"):
        get_skeleton("h36m17")


def test_alias_and_passing_through():
    assert get_skeleton("coco_18") is get_skeleton("openpose_18")
    skeleton = get_skeleton("h36m_17")
    assert get_skeleton(skeleton) is skeleton
    assert skeleton.index("head_top") == 10
    with pytest.raises(Pose3DError, match="h36m_17 has no joint 'nose'"):
        skeleton.index("nose")


@layouts
@pytest.mark.parametrize("target", ["h36m_17", "uplift_17", "h36m_16", "amass_17", "union_20"])
def test_every_layout_reaches_the_lifting_layouts(name, target):
    rng = np.random.default_rng(0)
    source, wanted = get_skeleton(name), get_skeleton(target)
    points = rng.normal(size=(3, source.num_joints, 3)).astype(np.float32)
    result = convert_joints(points, name, target)
    assert result.shape == (3, wanted.num_joints, 3)
    assert result.dtype == np.float32
    for i, joint in enumerate(wanted.joints):
        if joint in source.joints:
            np.testing.assert_array_equal(result[:, i], points[:, source.joints.index(joint)])
    # Derived joints are affine combinations: moving everything moves them along.
    np.testing.assert_allclose(convert_joints(points + 5, name, target), result + 5, atol=1e-5)


@given(
    st.sampled_from(["coco_17", "openpose_18", "openpose_25", "mediapipe_33", "halpe_26"]), st.integers(0, 99)
)
def test_conversion_commutes_with_mirroring(name, seed):
    source, wanted = get_skeleton(name), get_skeleton("h36m_17")
    points = np.random.default_rng(seed).normal(size=(source.num_joints, 2))
    mirror = np.array([-1.0, 1.0])
    flipped = convert_joints((points * mirror)[list(source.flip_order)], source, wanted)
    expected = (convert_joints(points, source, wanted) * mirror)[list(wanted.flip_order)]
    np.testing.assert_allclose(flipped, expected, atol=1e-12)


def test_rules_for_coco():
    source = get_skeleton("coco_17")
    points = np.random.default_rng(0).normal(size=(17, 2))
    at = {joint: points[i] for i, joint in enumerate(source.joints)}
    result = dict(zip(get_skeleton("h36m_17").joints, convert_joints(points, source, "h36m_17"), strict=True))
    pelvis, neck = (at["l_hip"] + at["r_hip"]) / 2, (at["l_shoulder"] + at["r_shoulder"]) / 2
    ears = (at["l_ear"] + at["r_ear"]) / 2
    np.testing.assert_allclose(result["pelvis"], pelvis)
    np.testing.assert_allclose(result["neck"], neck)
    np.testing.assert_allclose(result["spine"], (pelvis + neck) / 2)
    np.testing.assert_allclose(result["head"], at["nose"])
    np.testing.assert_allclose(result["head_top"], neck + 1.5 * (ears - neck))


def test_confidence_is_the_lowest_of_the_joints_used():
    points = np.ones((2, 17, 3), np.float32)
    coco = get_skeleton("coco_17")
    points[:, coco.index("l_hip"), 2] = 0.25
    result = convert_joints(points, "coco_17", "h36m_17", confidence=True)
    h36m = get_skeleton("h36m_17")
    assert result[0, h36m.index("pelvis"), 2] == 0.25
    assert result[0, h36m.index("spine"), 2] == 0.25
    assert result[0, h36m.index("neck"), 2] == 1
    assert result[0, h36m.index("l_hip"), 2] == 0.25


def test_missing_joint_spoils_only_what_uses_it():
    points = np.ones((17, 2), np.float32)
    coco, h36m = get_skeleton("coco_17"), get_skeleton("h36m_17")
    points[coco.index("l_ear")] = np.nan
    result = convert_joints(points, coco, h36m)
    assert [h36m.joints[i] for i in np.flatnonzero(np.isnan(result[:, 0]))] == ["head_top"]


def test_integer_points_become_float():
    result = convert_joints(np.arange(34).reshape(17, 2), "coco_17", "h36m_17")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0], [23, 24])


def test_conversion_errors():
    with pytest.raises(Pose3DError, match=r"nothing gives l_eye, r_eye, l_ear, r_ear"):
        convert_joints(np.zeros((17, 2)), "h36m_17", "coco_17")
    with pytest.raises(Pose3DError, match=r"shape \(16, 2\) do not hold the 17 joints of layout h36m_17"):
        convert_joints(np.zeros((16, 2)), "h36m_17", "uplift_17")


def test_humaneva_s_markers_give_its_15_joints():
    markers = np.arange(60.0).reshape(20, 3)
    joints = convert_joints(markers, "humaneva_20", "humaneva_15")
    expected = [0, (1, 2), 3, (4, 5), 6, 7, (8, 9), 10, 11, (12, 13), 14, 15, (16, 17), 18, 19]
    np.testing.assert_allclose(joints, [markers[np.atleast_1d(one)].mean(axis=0) for one in expected])
