"""Which detectors there are, and how another comes in."""

import importlib.metadata
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
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


def test_the_manuals_example(tmp_path, monkeypatch):
    """RTMPose through ONNX Runtime, as docs/video.md has it, with a network of its inputs and outputs."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    page = (Path(__file__).parents[3] / "docs" / "video.md").read_text()
    code = next(part for part in re.findall(r"```python\n(.*?)```", page, re.S) if "class RTMPose" in part)
    (tmp_path / "rtmpose.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    # Likelihoods of 17 joints along 192 x 256 pixels, two values to a pixel: joint n at (2 n, 3 n) + 40.
    x, y = np.zeros((1, 17, 384), np.float32), np.zeros((1, 17, 512), np.float32)
    x[0, range(17), 2 * (40 + 2 * np.arange(17))] = 0.9
    y[0, range(17), 2 * (40 + 3 * np.arange(17))] = 0.7
    helper = onnx.helper
    nodes = [
        helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(values))
        for name, values in (("simcc_x", x), ("simcc_y", y))
    ]
    outputs = [
        helper.make_tensor_value_info(name, 1, list(values.shape))
        for name, values in (("simcc_x", x), ("simcc_y", y))
    ]
    given = helper.make_tensor_value_info("input", 1, [1, 3, 256, 192])
    model = helper.make_model(
        helper.make_graph(nodes, "rtmpose", [given], outputs), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "end2end.onnx")
    detector = make_detector("rtmpose:RTMPose", tmp_path / "end2end.onnx")
    # An image of twice the network's width: two pixels of it to one.
    (person,) = detector(np.zeros((300, 384, 3), np.uint8), 0.0)
    assert detector.layout == "coco_17"
    np.testing.assert_allclose(person[:, 0], 2 * (40 + 2 * np.arange(17)))
    np.testing.assert_allclose(person[:, 1], 2 * (40 + 3 * np.arange(17)))
    np.testing.assert_allclose(person[:, 2], 0.7)
