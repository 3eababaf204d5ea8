import dataclasses

import numpy as np
import pytest

from tf_pose3d.lens import rotation_vector_to_matrix
from tf_pose3d.multicamera.agreement import measure_geometry
from tf_pose3d.multicamera.diagnosis import diagnose
from tf_pose3d.multicamera.reconstruction import confident
from tf_pose3d.multicamera.rig import make_rig

FRAMES = 100


@pytest.fixture(scope="module")
def clip(scenes):
    rig = scenes.rig(4)
    return rig, scenes.seen(rig, scenes.walker(FRAMES), sigma=4)


def found(rig, keypoints):
    weights = confident(keypoints, 0.3)
    geometry = measure_geometry(rig, keypoints, weights)
    return geometry, diagnose(rig, keypoints, weights, geometry)


def replaced(rig, number, **changes):
    cameras = list(rig.cameras)
    cameras[number] = dataclasses.replace(cameras[number], **changes)
    return make_rig(cameras)


def test_a_sound_rig_is_left_alone(clip):
    geometry, findings = found(*clip)
    assert findings == []
    assert 2 < geometry.error < 6
    assert np.nanmax(geometry.pairs) < 8


def test_exchanged_cameras_are_named(clip):
    rig, keypoints = clip
    swapped = make_rig(
        [
            dataclasses.replace(rig.cameras[other], name=rig.names[number])
            for number, other in enumerate((0, 2, 1, 3))
        ]
    )
    _, (finding,) = found(swapped, keypoints)
    assert finding.kind == "exchanged"
    assert finding.cameras == ("cam02", "cam03")
    assert finding.after < 0.2 * finding.before


@pytest.mark.parametrize("number", [0, 3])
def test_a_rotated_camera_is_named(clip, number):
    rig, keypoints = clip
    turn = rotation_vector_to_matrix(np.array([0, 0.2, 0]))
    camera = rig.cameras[number]
    wrong = replaced(rig, number, rotation=turn @ camera.rotation, translation=turn @ camera.translation)
    _, (finding,) = found(wrong, keypoints)
    assert finding.kind == "rotated"
    assert finding.cameras == (camera.name,)
    assert "0.20 rad" in finding.text
    # The vector of the file changed, the translation not: the camera moved as well.
    vector = camera.rotation_vector + np.array([0, 0.2, 0])
    _, (finding,) = found(replaced(rig, number, rotation=rotation_vector_to_matrix(vector)), keypoints)
    assert (finding.kind, finding.cameras) == ("rotated", (camera.name,))


def test_another_unit_is_named(clip):
    rig, keypoints = clip
    wrong = replaced(rig, 2, translation=rig.cameras[2].translation * 1000)
    _, (finding,) = found(wrong, keypoints)
    assert (finding.kind, finding.cameras) == ("unit", ("cam03",))
    assert "millimetres where the others have metres" in finding.text


def test_a_late_camera_is_named(clip):
    rig, keypoints = clip
    late = keypoints.copy()
    late[1, :-9], late[1, -9:] = keypoints[1, 9:], np.nan
    _, (finding,) = found(rig, late)
    assert (finding.kind, finding.cameras) == ("late", ("cam02",))
    assert "9 frames late" in finding.text
    assert "--offsets cam02=9" in finding.text


def test_inverted_extrinsics_are_said(clip):
    rig, keypoints = clip
    wrong = make_rig(
        [
            dataclasses.replace(camera, rotation=camera.rotation.T, translation=camera.centre)
            for camera in rig.cameras
        ]
    )
    _, (finding,) = found(wrong, keypoints)
    assert finding.kind == "inverted"


def test_nobody_says_nothing(clip):
    rig, keypoints = clip
    geometry, findings = found(rig, np.full_like(keypoints, np.nan))
    assert geometry.count == 0
    assert findings == []
