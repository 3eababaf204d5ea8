"""BVH files into joint positions."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.motion_files.bvh import parse_bvh, read_bvh
from tf_pose3d.errors import Pose3DError

TWO = """HIERARCHY
ROOT a {
  OFFSET 1 2 3
  CHANNELS 3 Zrotation Xrotation Yrotation
  JOINT b of two words
  {
    OFFSET 0 1 0
    CHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
    End Site
    { OFFSET 0 0 2 }
  }
}
MOTION
Frames: 1
Frame Time: 0,04
90 0 0   0 3 0   0 90 0
"""


def test_a_clip_of_the_cmu_conversions(tmp_path, bvh_text):
    path = tmp_path / "13_11.bvh"
    path.write_bytes(bvh_text.replace("\n", "\r\n").encode("utf-8-sig"))
    motion = read_bvh(path)
    assert motion.fps == pytest.approx(120, rel=1e-4)
    assert motion.metres is None
    assert motion.names[:5] == ("Hips", "LHipJoint", "LeftUpLeg", "LeftLeg", "LeftFoot")
    assert motion.names[5] == "LeftFoot_end"
    assert [motion.parents[motion.index(name)] for name in ("Hips", "LHipJoint", "Spine")] == [-1, 0, 0]
    assert motion.positions.shape == (9, 26, 3)
    foot, hand = motion.index("LeftFoot"), motion.index("RightHand")
    np.testing.assert_allclose(motion.positions[0, foot], [10, 5, 0], atol=1e-9)
    np.testing.assert_allclose(motion.positions[8, hand], [-71, 133, 8], atol=1e-9)
    # A turn of 90 degrees about x takes what points down to the back.
    np.testing.assert_allclose(motion.positions[8, foot], [10, 47, 8 - 42], atol=1e-9)


def test_angles_multiply_in_the_order_of_the_channels_and_positions_replace_offsets():
    motion = parse_bvh(TWO)
    assert motion.names == ("a", "b of two words", "b of two words_end")
    assert motion.fps == pytest.approx(25)
    # a turns by 90 degrees about z: (0, 3, 0) goes to (-3, 0, 0).
    np.testing.assert_allclose(motion.positions[0, :2], [[1, 2, 3], [-2, 2, 3]], atol=1e-12)
    # b turns z to -y (90 degrees about x), a takes that to x.
    np.testing.assert_allclose(motion.positions[0, 2], [0, 2, 3], atol=1e-12)
    np.testing.assert_allclose(motion.rotations[0, 2] @ [0, 0, 1], [1, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("HIERARCHY", "solid teapot"), "line 1: 'solid teapot', expected HIERARCHY"),
        (("OFFSET 1 2 3", "OFFSET 1 two 3"), "line 3: OFFSET '1 two 3', expected 3 numbers"),
        (("OFFSET 1 2 3", "OFFSET 1 2e20 3"), "line 3: OFFSET '1 2e20 3', expected 3 numbers up to 1e+09"),
        (("  OFFSET 1 2 3\n", ""), "line 2: joint a has no OFFSET"),
        (("CHANNELS 3 Zrotation", "CHANNELS 4 Zrotation"), "line 4: CHANNELS"),
        (("Yrotation Xrotation Zrotation", "Yrotation Xrotation Wrotation"), "line 8: CHANNELS"),
        (("JOINT b of two words", "JOINT a"), "line 5: a second joint of the name 'a'"),
        (("}\nMOTION", "MOTION"), "MOTION inside a"),
        (("MOTION", "}\nMOTION"), "a closing brace too many"),
        (("Frames: 1", "Frames: 2"), "9 values after Frame Time:, expected 2 frames of 9"),
        (("Frames: 1", "Frames: some"), "line 14: Frames: 'some'"),
        (("Frames: 1", "Frames: \u00b2"), "line 14: Frames: '\u00b2'"),
        (("0,04", "0"), "line 15: Frame Time: 0, expected seconds a frame"),
        (("0 90 0\n", "0 90 x\n"), "line 16: values"),
        (("0 90 0\n", "0 90 nan\n"), "frame 0 holds a value that is not finite"),
        (("0 90 0\n", "0 90 -3e12\n"), "frame 0 holds a value that is not finite, or beyond 1e+09"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(change, told):
    with pytest.raises(Pose3DError) as caught:
        parse_bvh(TWO.replace(*change), "walk.bvh")
    assert str(caught.value).startswith("walk.bvh: ")
    assert told in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.97, 0.99])
def test_files_that_are_cut_short(bvh_text, share):
    with pytest.raises(Pose3DError, match=r"cut short|empty|expected"):
        parse_bvh(bvh_text[: int(len(bvh_text) * share)])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(Pose3DError, match="No such file"):
        read_bvh(tmp_path / "none.bvh")
