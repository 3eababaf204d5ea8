"""Which steps a file takes, and flags that contradict each other."""

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.steps import MotionSteps


@pytest.mark.parametrize("path", ["a.npz", "a.npy", "a.JSON", "a.csv"])
def test_files_of_numbers_are_left_alone(path):
    assert MotionSteps.for_file(path) == MotionSteps(placement="lifted")


@pytest.mark.parametrize("path", ["a.bvh", "a.trc", "a.c3d", "a.glb", "a.usda", "a.mot", "a.png", "a.html"])
def test_others_are_level_of_one_skeleton_and_on_the_floor(path):
    rotations = path.endswith((".bvh", ".glb", ".usda", ".mot"))
    expected = MotionSteps(constant_bones=True, level="auto", placement="floor", rotations=rotations)
    assert MotionSteps.for_file(path) == expected
    assert MotionSteps.for_file(path, raw=True) == MotionSteps(rotations=rotations, placement="lifted")
    assert MotionSteps.for_file(path, level="off").level == "off"
    assert MotionSteps.for_file(path, placement="camera").level == "off"


def test_asking_for_the_world_asks_for_its_axes():
    assert MotionSteps.for_file("a.npz", placement="world").level == "auto"
    assert MotionSteps.for_file("a.npz", pitch=10.0).level == "auto"
    assert MotionSteps.for_file("a.npz", pitch=10.0).placement == "root"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"raw": True, "pitch": 3.0}, "raw poses are not turned level"),
        ({"level": "off", "placement": "world"}, "placement world needs to know which way is up"),
        ({"level": "off", "roll": 3.0}, "which level off forbids"),
        ({"level": "auto", "placement": "camera"}, "world is its level twin"),
        ({"level": "up"}, "level is 'up', expected auto or off"),
        ({"placement": "moon"}, "placement is 'moon', expected root, camera, floor or world"),
        ({"stature": 0.1}, "a stature of 0.1 metres, expected 0.4 to 2.6"),
        ({"stature": float("nan")}, "a stature of nan metres"),
        ({"smooth": "wavelet"}, "expected butterworth or rts"),
    ],
)
def test_contradictions(asked, message):
    with pytest.raises(Pose3DError, match=message):
        MotionSteps.for_file("a.npz", **asked)
