"""USD text files: what they say, and what USD makes of them."""

import re

import numpy as np
import pytest

from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import write_motion


@pytest.fixture
def walk(motion, tmp_path):
    """The path of a file and the motion in it."""
    (staged,) = run_stage([motion], MotionSteps.for_file("walk.usda"))
    write_motion(tmp_path / "walk.usda", staged.motion)
    return tmp_path / "walk.usda", staged.motion


def test_text(walk):
    path, motion = walk
    text = path.read_text()
    assert text.startswith("#usda 1.0\n")
    assert 'upAxis = "Y"' in text
    assert "metersPerUnit = 1\n" in text
    assert "timeCodesPerSecond = 50\n" in text
    assert "endTimeCode = 4\n" in text
    assert '"Hips/LeftUpLeg/LeftLeg/LeftFoot"' in text
    for left, right in ("()", "[]", "{}"):
        assert text.count(left) == text.count(right)
    # The root's way is the first of each frame's translations.
    frames = re.findall(r"^            (\d+): \[\(([^)]*)\)", text.split("translations.timeSamples")[1], re.M)
    assert [int(number) for number, _ in frames] == list(range(5))
    found = np.array([first.split(", ") for _, first in frames], float)
    np.testing.assert_allclose(found, motion.upright(motion.held())[:, motion.root], atol=1e-5)


def test_usd_reads_it(walk):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom, UsdSkel

    path, motion = walk
    stage = Usd.Stage.Open(str(path))
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1)
    cache = UsdSkel.Cache()
    cache.Populate(UsdSkel.Root(stage.GetPrimAtPath("/Person")), Usd.TraverseInstanceProxies())
    query = cache.GetSkelQuery(UsdSkel.Skeleton(stage.GetPrimAtPath("/Person/Skeleton")))
    names = [str(joint).split("/")[-1] for joint in query.GetJointOrder()]
    held = motion.upright(motion.held())
    for frame in range(5):
        found = [np.array(matrix)[3, :3] for matrix in query.ComputeJointSkelTransforms(frame)]
        for joint, name in (("l_knee", "LeftLeg"), ("r_wrist", "RightHand"), ("head", "Head")):
            np.testing.assert_allclose(
                found[names.index(name)], held[frame, motion.skeleton.index(joint)], atol=1e-4
            )
