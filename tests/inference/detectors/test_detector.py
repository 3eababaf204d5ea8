"""Which detectors there are, and how another comes in."""

import importlib.metadata
import sys
from types import SimpleNamespace

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.detectors import make_detector


class Mine:
    layout = "coco_17"

    def __init__(self, model):
        self.model = model


def test_a_module_and_its_callable(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "my_detector", SimpleNamespace(Mine=Mine))
    assert isinstance(made := make_detector("my_detector:Mine", str(tmp_path / "x.onnx")), Mine)
    assert made.model == tmp_path / "x.onnx"
    assert make_detector("my_detector:Mine").model is None


def test_an_entry_point(monkeypatch):
    class Entry:
        name = "mine"

        def load(self):
            return Mine

    asked = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: asked.append(group) or [Entry()])
    assert isinstance(make_detector("mine"), Mine)
    assert asked == ["tf_pose3d_detectors"]
    with pytest.raises(Pose3DError, match="expected one of blazepose, mine, or module:callable"):
        make_detector("yours")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kinect", "--detector kinect: expected one of blazepose, or module:callable"),
        ("mediapipe", "is replaced by --detector blazepose, the default"),
        ("no_such_module:X", "cannot be loaded: No module named 'no_such_module'"),
        ("json:Detector", "cannot be loaded: .*Detector"),
    ],
)
def test_detectors_that_are_none(name, message):
    with pytest.raises(Pose3DError, match=message):
        make_detector(name)
