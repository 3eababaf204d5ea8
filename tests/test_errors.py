import json

import pytest

from tf_pose3d.data.calibration.reading import read_calibration
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.unpickling import Refused


@pytest.mark.parametrize("kind", [Pose3DError, Refused])
def test_words_longer_than_any_file_s_name_are_cut(kind):
    said = str(kind(f"a.json: camera {'9' * 5000}: no R"))
    assert said == f"a.json: camera {'9' * 57}... no R"
    # Paths of any length, names of the longest, and sentences stay.
    path = "/".join(["f" * 255] * 16)
    for text in (
        f"{path} does not exist",
        path.replace("/", "\\"),
        "expected one of " + "coco_17, " * 100,
        "",
    ):
        assert str(kind(text)) == text
    assert str(kind()) == ""


def test_values_are_shown_on_one_short_line():
    nested: list = []
    nested.append(nested)
    for value in ("a\nb" * 100, 10**5000, nested, {"a": ["b"] * 1000}, b"\0" * 99):
        assert len(shown(value)) <= 60
        assert "\n" not in shown(value)
    assert shown(0.1 + 0.2) == "0.3"


@pytest.mark.parametrize("key", ["9" * 5000, "a b " * 2000, "a\nb" * 1000])
def test_names_of_cameras_in_messages_are_short(tmp_path, key):
    path = tmp_path / "calibration.json"
    camera = {"R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "T": [0, 0, 0], "fx": 1, "fy": 1, "cx": 1, "cy": 1}
    path.write_text(json.dumps({key: camera}))
    with pytest.raises(Pose3DError, match="expected a name") as caught:
        read_calibration(path)
    assert "calibration.json: camera " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
