import numpy as np
import pytest

from tf_pose3d.data.human36m import read_human36m
from tf_pose3d.data.stated_layout import HOURGLASS_16, MPII_16, in_layout, stated_layout
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import convert_joints, get_skeleton, joint_indices

# What VideoPose3D's and SemGCN's tools write.
SYMMETRY = {
    "h36m": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    "coco": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
    "mpii": [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]],
    "h36m_16": [[4, 5, 6, 10, 11, 12], [1, 2, 3, 13, 14, 15]],
    "humaneva15": [[2, 3, 4, 8, 9, 10], [5, 6, 7, 11, 12, 13]],
    "humaneva20": [[3, 4, 5, 6, 11, 12, 13, 14], [7, 8, 9, 10, 15, 16, 17, 18]],
}
EXPECTED = {17: "h36m_17", 16: "h36m_16"}


def of(metadata, joints, expected=EXPECTED):
    return stated_layout(metadata, joints, expected, "x.npz: S9")


@pytest.mark.parametrize(
    ("name", "joints", "layout"),
    [
        ("h36m", 17, "h36m_17"),
        ("h36m", 16, "h36m_16"),
        ("coco", 17, "coco_17"),
        ("COCO", 17, "coco_17"),
        ("mpii", 16, "mpii_16"),
        ("humaneva15", 15, "humaneva_15"),
        ("humaneva20", 20, "humaneva_20"),
        ("halpe_26", 26, "halpe_26"),
    ],
)
def test_a_name_is_obeyed(name, joints, layout):
    assert of({"layout_name": name, "num_joints": joints}, joints).name == layout
    symmetry = SYMMETRY.get("h36m_16" if layout == "h36m_16" else name.lower())
    assert of({"layout_name": name, "keypoints_symmetry": symmetry}, joints).name == layout


@pytest.mark.parametrize(
    ("symmetry", "joints", "layout"),
    [
        ("h36m", 17, "h36m_17"),
        ("coco", 17, "coco_17"),
        ("mpii", 16, "hourglass_16"),
        ("h36m_16", 16, "h36m_16"),
        ("humaneva15", 15, "humaneva_15"),
    ],
)
def test_without_a_name_the_sides_tell(symmetry, joints, layout):
    metadata = {"num_joints": joints, "keypoints_symmetry": SYMMETRY[symmetry]}
    assert of(metadata, joints).name == layout
    as_arrays = {"keypoints_symmetry": np.array(SYMMETRY[symmetry]), "layout_name": "my_detector"}
    assert of(as_arrays, joints).name == layout


@pytest.mark.parametrize(
    "metadata", [None, {}, {"keypoints_symmetry": "left"}, {"keypoints_symmetry": [[1], 2]}]
)
def test_without_either_the_data_set_says(metadata):
    assert of(metadata, 17).name == "h36m_17"
    assert of(metadata, 17, {17: "coco_17"}).name == "coco_17"


@pytest.mark.parametrize(
    ("metadata", "joints", "message"),
    [
        ({"layout_name": "coco"}, 16, "has 16 joints, expected the 17 of coco_17"),
        ({"layout_name": "h36m"}, 18, "has 18 joints, expected the 17 or 16 or 32 of the layout 'h36m'"),
        ({"layout_name": "movenet"}, 17, "holds joints of layout 'movenet', expected one of h36m, coco"),
        (
            {"layout_name": "h36m", "keypoints_symmetry": SYMMETRY["coco"]},
            17,
            "name the layout 'h36m', but their keypoints_symmetry is coco_17",
        ),
        ({"keypoints_symmetry": [[0, 1], [2, 3]]}, 17, "that of no known layout of 17 joints"),
        (None, 18, "has 18 joints, expected 17 or 16"),
    ],
)
def test_what_contradicts_or_is_not_known(metadata, joints, message):
    with pytest.raises(Pose3DError, match=message) as caught:
        of(metadata, joints)
    assert "\n" not in str(caught.value)


def test_the_hourglass_has_its_own_order():
    assert MPII_16.joints[6:10] == ("pelvis", "mpii_thorax", "mpii_upper_neck", "mpii_head_top")
    # The permutation that SemGCN and Martinez et al. use.
    order = joint_indices(HOURGLASS_16, "h36m_16").tolist()
    assert order == [6, 2, 1, 0, 3, 4, 5, 7, 8, 9, 13, 14, 15, 12, 11, 10]


def test_in_layout_keeps_or_makes_joints():
    points = np.random.default_rng(0).uniform(0, 900, (3, 17, 3)).astype(np.float32)
    coco, h36m = get_skeleton("coco_17"), get_skeleton("h36m_17")
    np.testing.assert_array_equal(in_layout(points, coco, coco, "x"), points)
    made = in_layout(points, coco, h36m, "x")
    np.testing.assert_array_equal(made, convert_joints(points, coco, h36m, confidence=True))
    with pytest.raises(Pose3DError, match="x: layout h36m_17 cannot be turned into coco_17"):
        in_layout(points, h36m, coco, "x")


def write(folder, name, points, **metadata):
    videos = {"S9": {"Walking": [points] * 4}}
    path = folder / f"data_2d_h36m_{name}.npz"
    np.savez(path, positions_2d=np.array(videos, object), metadata=np.array(metadata, object))
    return path


def test_human36m_with_the_joints_of_coco(tmp_path):
    points = np.random.default_rng(0).uniform(0, 900, (5, 17, 2)).astype(np.float32)
    lines = []
    path = write(tmp_path, "coco", points, layout_name="coco", keypoints_symmetry=SYMMETRY["coco"])
    sequence = read_human36m(None, path, ["S9"], "uplift_17", log=lines.append)[0]
    np.testing.assert_array_equal(sequence.pose_2d, convert_joints(points, "coco_17", "uplift_17"))
    (line,) = lines
    assert (
        "holds joints of coco_17: pelvis, neck, spine, head, head_top of uplift_17 are made of them" in line
    )
    # The model may read COCO's joints as they are.
    lines.clear()
    sequence = read_human36m(None, path, ["S9"], "h36m_17", skeleton_2d="coco_17", log=lines.append)[0]
    np.testing.assert_array_equal(sequence.pose_2d, points)
    assert sequence.input_skeleton.name == "coco_17"
    assert sequence.skeleton.name == "h36m_17"
    assert not lines


def test_videopose3ds_stacked_hourglass(tmp_path):
    points = np.random.default_rng(0).uniform(0, 900, (5, 16, 2)).astype(np.float32)
    path = write(tmp_path, "sh_ft_h36m", points, num_joints=16, keypoints_symmetry=SYMMETRY["mpii"])
    sequence = read_human36m(None, path, ["S9"], "h36m_16")[0]
    np.testing.assert_array_equal(sequence.pose_2d[:, 0], points[:, 6])  # pelvis
    np.testing.assert_array_equal(sequence.pose_2d[:, 3], points[:, 0])  # right ankle
    with pytest.raises(Pose3DError, match="needs 17: use a 2D file with 17"):
        read_human36m(None, path, ["S9"], "h36m_17")
