import json

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats import ReadOptions, read_keypoints
from tf_pose3d.inference.formats.layouts import choose_layout, named_joints
from tf_pose3d.skeleton import get_skeleton


@pytest.fixture(scope="module")
def recordings():
    """Every action of two people, from all sides."""
    return synthetic_sequences(["S9", "S5"], frames=30, skeleton="h36m_17")


def in_layout(recording, layout):
    """A recording's `(F, J, 2)` pixels in another layout's order; MPII's thorax is the neck, and so on."""
    held = recording.skeleton.joints
    other = {"mpii_thorax": "neck", "mpii_upper_neck": "head", "mpii_head_top": "head_top"}
    names = [other.get(joint, joint) for joint in get_skeleton(layout).joints]
    return recording.pose_2d[..., :2][:, [held.index(name) for name in names]]


def with_a_face(recording):
    """A recording's `(F, 17, 2)` pixels in COCO's joints, the face within a tenth of the person's size."""
    held = recording.skeleton.joints
    names = get_skeleton("coco_17").joints
    points = recording.pose_2d[..., :2][:, [held.index(n if n in held else "head") for n in names]]
    size = np.ptp(points, axis=1).max(axis=-1)[:, None, None]
    places = np.array([(0, 0), (0.02, -0.02), (-0.02, -0.02), (0.05, -0.01), (-0.05, -0.01)])
    return np.concatenate([points[:, :5] + size * places, points[:, 5:]], axis=1)


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("coco_17", "h36m_17"),
        ("coco_17", "uplift_17"),
        ("coco_17", "mpi_inf_3dhp_17"),
        ("mpii_16", "h36m_16"),
    ],
)
def test_another_layout_of_as_many_joints_is_told(recordings, said, held):
    count = get_skeleton(said).num_joints
    for recording in recordings:
        points = in_layout(recording, held)
        chosen = choose_layout(None, count, {count: said}, "a.json", points)
        assert chosen.skeleton.name == said
        (line,) = chosen.warnings
        assert line.startswith(f"a.json: its {count} joints have no names and are read as {said}")
        assert "is it --layout " in line
        assert held in line
        # A word of the user's or the file's own ends the question.
        assert choose_layout(said, count, {count: said}, "a.json", points).warnings == ()


def test_people_in_the_layout_of_their_format_are_not_doubted(recordings):
    random = np.random.default_rng(0)
    for recording in recordings:
        for said, points in (
            ("coco_17", with_a_face(recording)),
            ("mpii_16", in_layout(recording, "mpii_16")),
        ):
            count = points.shape[1]
            size = np.ptp(points, axis=1).max()
            noisy = points + random.normal(0, 0.03 * size, points.shape)
            some = np.where(random.random((len(points), count, 1)) < 0.3, np.nan, points)
            upper = points.copy()
            legs = [n for n, joint in enumerate(get_skeleton(said).joints) if joint[2:] in ("knee", "ankle")]
            upper[:, legs] = 0
            for seen in (points, points[:1], noisy, some, upper, np.zeros_like(points)):
                chosen = choose_layout(None, count, {count: said}, "a.json", seen)
                assert chosen.warnings == (), (recording.label, said)


def test_human36m_s_order_in_coco_s_results(recordings, tmp_path):
    points = in_layout(recordings[0], "h36m_17")
    found = [
        {"image_id": n, "category_id": 1, "keypoints": np.insert(p, 2, 0.9, axis=1).ravel().tolist()}
        for n, p in enumerate(points.astype(float))
    ]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(found))
    video = read_keypoints(path)
    assert [line for line in video.warnings if "is it --layout h36m_17" in line] == [*video.warnings]
    said = read_keypoints(path, options=ReadOptions(layout="h36m_17"))
    assert said.skeleton.name == "h36m_17"
    assert said.warnings == ()


def test_names_of_any_length_make_a_short_line():
    with pytest.raises(
        Pose3DError, match=r"none of its body parts \(a\\x00\\x00.*has a known name"
    ) as caught:
        named_joints(["a" + 2000 * "\0", *("b" * 50 for _ in range(40))], "x.h5")
    assert len(str(caught.value)) < 600
