"""BlazePose's networks without their files: anchors, groups of boxes, heat maps."""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.detectors import networks
from tf_pose3d.inference.detectors.networks import LandmarkNetwork, PeopleNetwork, people_anchors
from tf_pose3d.inference.detectors.regions import Region


def test_anchors():
    anchors = people_anchors()
    assert anchors.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2)
    np.testing.assert_allclose(anchors[[0, 1, 2]], [[0.5 / 28, 0.5 / 28]] * 2 + [[1.5 / 28, 0.5 / 28]])
    np.testing.assert_allclose(anchors[1568], 0.5 / 14)
    np.testing.assert_allclose(anchors[-1], 6.5 / 7)


class Outputs:
    """Stands in for a network: gives what it is told."""

    def __init__(self, *outputs):
        self.outputs = outputs

    def __call__(self, image, wanted):
        self.image = image
        return [self.outputs[number] for number in wanted]


def people_network(monkeypatch, boxes):
    """A network that finds `boxes`: (anchor, score's logit, 12 numbers of pixels)."""
    values, scores = np.zeros((2254, 12), np.float32), np.full((2254, 1), -20, np.float32)
    for anchor, logit, numbers in boxes:
        values[anchor], scores[anchor] = numbers, logit
    monkeypatch.setattr(networks, "_Network", lambda path, shapes, threads: Outputs(values, scores))
    return PeopleNetwork("any")


def test_boxes_of_one_face_are_averaged_and_two_faces_are_two_people(monkeypatch):
    # Faces 40 pixels large; the hips 60 below, the point of size 30 above the hips.
    numbers = np.array([0, 0, 40, 40, 0, 60, 0, 30, 0, 0, 0, 0], np.float32)
    shifted = numbers.copy()
    shifted[[0, 4, 6]] += 8
    first, beside, far = 28 * 10 * 2 + 20, 28 * 10 * 2 + 21, 28 * 10 * 2 + 44
    network = people_network(
        monkeypatch, [(first, 2.0, numbers), (beside, 1.0, shifted), (far, 0.5, numbers), (9, -0.5, numbers)]
    )
    found = network(np.zeros((112, 224, 4), np.uint8), 0.5)
    assert [round(score, 3) for score, _ in found] == [0.881, 0.622]
    weights = 1 / (1 + np.exp(-np.array([2.0, 1.0])))
    (_, region), (_, other) = found
    # Letterboxed: 56 black rows above and below.
    assert region.x == pytest.approx(10.5 * 8 + 8 * weights[1] / weights.sum(), abs=1e-4)
    assert region.y == pytest.approx(10.5 * 8 - 56 + 60, abs=1e-4)
    assert region.size == pytest.approx(2 * 30 * 1.25)
    assert region.angle == pytest.approx(0)
    assert other.x == pytest.approx(22.5 * 8, abs=1e-4)
    assert network._network.image.shape == (224, 224, 3)
    assert network._network.image.min() == -1


def test_landmarks_lie_where_their_heat_is(monkeypatch):
    table = np.zeros((39, 5), np.float32)
    table[:, :2] = 128
    table[:, 3] = 3.0
    table[33, :2], table[34, :2] = (128, 160), (128, 96)
    heat = np.full((64, 64, 39), -30, np.float32)
    heat[33, 34, 0] = 5.0  # Row 33, column 34: a cell below and two to the right.
    heat[32, 32, 1] = -0.2  # Too cold to be believed.
    metres = np.arange(117, dtype=np.float32)
    outputs = (table.reshape(-1), np.array([0.75], np.float32), None, heat, metres)
    monkeypatch.setattr(networks, "_Network", lambda path, shapes, threads: Outputs(*outputs))
    found = LandmarkNetwork("any")(np.zeros((300, 400, 4), np.uint8), Region(200, 150, 128, 0.0))
    assert found.presence == 0.75
    np.testing.assert_allclose(found.keypoints[0, :2], [204, 152])
    np.testing.assert_allclose(found.keypoints[1, :2], [200, 150])
    np.testing.assert_allclose(found.keypoints[:, 2], 1 / (1 + np.exp(-3)), rtol=1e-6)
    np.testing.assert_allclose(found.ends, [[200, 166], [200, 134]])
    assert found.region == Region(200, 166, 2 * 32 * 1.25, 0.0)
    np.testing.assert_array_equal(found.pose_3d, metres.reshape(39, 3)[:33])
    turned = LandmarkNetwork("any")(np.zeros((300, 400, 4), np.uint8), Region(200, 150, 128, np.pi / 2))
    # In a square that is turned clockwise, what is to the right of it is below in the image.
    np.testing.assert_allclose(turned.keypoints[0, :2], [200 - 2, 150 + 4], atol=1e-4)
    np.testing.assert_allclose(turned.pose_3d[5], [-16, 15, 17], atol=1e-5)


def test_a_file_that_is_no_network(tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "net.tflite"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(Pose3DError, match=r"net\.tflite cannot be loaded as a network of BlazePose"):
        PeopleNetwork(path)


def test_tensorflows_interpreter_only_where_litert_is_missing(monkeypatch):
    found = importlib.util.find_spec
    if found("ai_edge_litert") is not None:
        assert networks._interpreter().__module__.startswith("ai_edge_litert")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "litert" in name else found(name))
    stand_in = SimpleNamespace(lite=SimpleNamespace(Interpreter="its own"))
    monkeypatch.setitem(sys.modules, "tensorflow", stand_in)
    assert networks._interpreter() == "its own"
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace())
    with pytest.raises(Pose3DError, match=r'needs LiteRT, which is not installed: pip install "\.\[video\]"'):
        networks._interpreter()
