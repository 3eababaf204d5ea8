"""easy_ViTPose's `--save-json`: y before x, people by the tracker's ids."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)

# Its COCO joints with feet and the trunk's middle.
NAMES = [
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "neck", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "hip", "left_knee"),
    *("right_knee", "left_ankle", "right_ankle", "left_big_toe", "left_small_toe", "left_heel"),
    *("right_big_toe", "right_small_toe", "right_heel"),
]


def content(points, names, people=("1",)):
    """What `json.dump` makes of the tool's dicts, whose keys are numbers."""
    frames = []
    for pose in points:
        rows = [[float(y), float(x), 0.8] for x, y in pose]
        frames.append(dict.fromkeys(people, rows))
    return {"keypoints": frames, "skeleton": {str(number): name for number, name in enumerate(names)}}


def plain(name):
    side, _, rest = name.partition("_")
    return f"{side[0]}_{rest}" if side in ("left", "right") else {"hip": "pelvis"}.get(name, name)


def test_y_comes_before_x(tmp_path):
    body = made_up.person("halpe_26")
    joints = [get_skeleton("halpe_26").index(plain(name)) for name in NAMES]
    held = content(body[:, joints], NAMES)
    held["keypoints"][2] = {}
    video = made_up.read(made_up.write_json(tmp_path / "x.json", held))
    assert (video.format, video.num_frames) == ("easy_vitpose", made_up.FRAMES)
    assert [person.id for person in video.people] == ["1"]
    found = made_up.dense(video)
    assert np.isnan(found[2, :, 0]).all()
    columns = [get_skeleton("halpe_26").index(joint) for joint in video.skeleton.joints]
    assert len(columns) == len(NAMES)
    rows = [0, 1, 3, 4, 5, 6, 7]
    np.testing.assert_allclose(found[rows][..., :2], body[rows][:, columns], atol=1e-3)


def test_coco_s_joints_are_a_layout(tmp_path, coco):
    names = [name for name in NAMES if name not in ("neck", "hip")][:17]
    video = made_up.read(made_up.write_json(tmp_path / "x.json", content(coco, names)))
    assert video.skeleton.name == "coco_17"
    np.testing.assert_allclose(made_up.dense(video)[..., :2], coco, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [[]]}, r"frame 0 is \[\], expected people by their ids"),
        ({"keypoints": [{"0": [[1, 2]]}]}, "person '0': expected y, x and score"),
        ({"skeleton": {"1": "nose"}}, "its skeleton has no name for joint 0"),
    ],
)
def test_other_structures(tmp_path, coco, change, message):
    path = made_up.write_json(tmp_path / "x.json", content(coco, NAMES[:17]) | change)
    with pytest.raises(Pose3DError, match=message):
        made_up.read(path)
