"""Acclaim files into joint positions."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.motion_files.asf_amc import parse_amc, parse_asf, read_amc, read_asf
from tf_pose3d.errors import Pose3DError


def test_a_skeleton_and_its_motion(tmp_path, asf_text, amc_text):
    (tmp_path / "16.asf").write_text(asf_text)
    (tmp_path / "16_01.amc").write_text(amc_text)
    skeleton = read_asf(tmp_path / "16.asf")
    assert skeleton.metres == pytest.approx(0.056444, abs=1e-6)
    motion = read_amc(tmp_path / "16_01.amc", skeleton, fps=120)
    assert motion.fps == 120
    assert motion.names[:3] == ("root", "lhipjoint", "rhipjoint")
    assert motion.parents[motion.index("lhumerus")] == motion.index("lclavicle")
    root, hip, knee, ankle, toe = (
        motion.positions[:, motion.index(name)] for name in ("root", "lhipjoint", "lfemur", "ltibia", "lfoot")
    )
    np.testing.assert_allclose(root, [[0, 17.5, 10], [0, 17.5, 20]])
    # With all angles 0 bones point where the skeleton says.
    direction = np.array([0.34, -0.94, 0]) / np.hypot(0.34, 0.94)
    np.testing.assert_allclose(ankle[0] - knee[0], 7.49 * direction, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(knee - hip, axis=1), 7.16)
    # A knee bends about the bone's own x, which 20 degrees about z keep across the shin: back, not sideways.
    np.testing.assert_allclose(ankle[1] - knee[1], [0, 0, -7.49], atol=2e-2)
    assert toe[1, 1] - ankle[1, 1] < 0


def test_bones_of_an_axis_turn_about_it():
    asf = (
        ":units\n length 1\n angle rad\n:root\n order TX TY TZ RZ RX RY\n axis XYZ\n position 0 0 1\n"
        " orientation 0 0 0\n:bonedata\n begin\n name arm\n direction 1 0 0\n length 2\n"
        f" axis 0 {np.pi / 2} {np.pi / 2} XYZ\n dof rx l\n end\n:hierarchy\n begin\n root arm\n end\n"
    )
    skeleton = parse_asf(asf)
    assert skeleton.metres == pytest.approx(0.0254)
    motion = parse_amc(f":RADIANS\n1\nroot 1 0 0 0 0 0\narm {np.pi / 2} 1\n", skeleton)
    assert motion.fps is None
    # The arm's own x: y turned first, then z: (1, 0, 0) -> (0, 0, -1) -> (0, 0, -1); about it x goes to -y.
    np.testing.assert_allclose(motion.positions[0], [[1, 0, 1], [1, -3, 1]], atol=1e-12)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((":bonedata", ":bones"), "no section :bonedata"),
        ((":version", "version"), "expected a section"),
        (("length 0.45", "length none"), "length 'none', expected 1 numbers"),
        (("order TX TY TZ RX RY RZ", "order TX TY"), None),
        (("direction 0.6 -0.7 0.4", "direction 0.6 -0.7"), "expected 3 numbers"),
        (("dof rx ry rz", "dof rx rw"), "dof 'rx rw'"),
        (("lhipjoint lfemur\n", "lhipjoint lfemurr\n"), "'lfemurr' is no bone of :bonedata"),
        (("lfemur ltibia\n", "ltibia lfemur\n"), "parent 'ltibia' before it is itself a child"),
        (("XYZ\n    dof", "XXY\n    dof"), "axis order 'XXY'"),
    ],
)
def test_skeletons_that_are_wrong(asf_text, amc_text, change, told):
    changed = asf_text.replace(*change)
    assert changed != asf_text
    with pytest.raises(Pose3DError) as caught:
        parse_amc(amc_text, parse_asf(changed, "16.asf"), "16_01.amc")
    assert str(caught.value).startswith(("16.asf: ", "16_01.amc: "))
    assert told is None or told in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("ltibia 90", "ltibia 90 1"), "ltibia '90 1', expected 1 numbers"),
        (("ltibia 90", "ltibia 9e30"), "ltibia '9e30', expected 1 numbers up to 1e"),
        (("ltibia 90\n", ""), "frame 2 of 2 has no ltibia"),
        (("lfoot", "tail"), "no bone 'tail' in the skeleton"),
        (("\n1\nroot", "\nroot"), "expected a frame's number"),
    ],
)
def test_motions_that_are_wrong(asf_text, amc_text, change, told):
    changed = amc_text.replace(*change)
    assert changed != amc_text
    with pytest.raises(Pose3DError, match=f"^16_01.amc: .*{told}"):
        parse_amc(changed, parse_asf(asf_text), "16_01.amc")


def test_an_empty_motion(asf_text):
    with pytest.raises(Pose3DError, match="no frame"):
        parse_amc("# nothing\n:DEGREES\n", parse_asf(asf_text))
