"""glTF files: their structure by the specification, the joints they give, and a reader of its own."""

import json
import struct

import numpy as np
import pytest

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.inference.motion.stage import run_stage
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.writers import write_motion

NAMES = {"pelvis": "Hips", "l_knee": "LeftLeg", "r_ankle": "RightFoot", "l_wrist": "LeftHand", "head": "Head"}


@pytest.fixture
def walk(motion, tmp_path):
    """The path of a file and the motion in it."""
    (staged,) = run_stage([motion], MotionSteps.for_file("walk.glb"))
    write_motion(tmp_path / "walk.glb", staged.motion)
    return tmp_path / "walk.glb", staged.motion


def parts(data):
    """The document and the binary part of a .glb."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert (kind, size % 4) == (b"JSON", 0)
    document = json.loads(data[20 : 20 + size])
    binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
    assert kind == b"BIN\0"
    assert 28 + size + binary_size == len(data)
    return document, data[28 + size :]


def array(document, binary, number):
    accessor = document["accessors"][number]
    view = document["bufferViews"][accessor["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
    kind = {5126: np.float32, 5121: np.uint8}[accessor["componentType"]]
    assert view["byteOffset"] % 4 == 0
    values = np.frombuffer(binary, kind, accessor["count"] * width, view["byteOffset"])
    return values.reshape(accessor["count"], width)


def places(document, binary, frame):
    """Name -> `(3,)` of each node at a frame."""
    animation = document["animations"][0]
    tracks = {}
    for channel in animation["channels"]:
        target = channel["target"]
        output = animation["samplers"][channel["sampler"]]["output"]
        tracks[target["node"], target["path"]] = array(document, binary, output)[frame]
    found = {}

    def visit(number, origin, turn):
        node = document["nodes"][number]
        shift = tracks.get((number, "translation"), np.array(node["translation"]))
        x, y, z, w = tracks.get((number, "rotation"), np.array([0, 0, 0, 1.0]))
        found[node["name"]] = origin + turn @ shift
        for child in node.get("children", []):
            visit(child, found[node["name"]], turn @ quaternion_to_matrix(np.array([w, x, y, z])))

    visit(0, np.zeros(3), np.eye(3))
    return found


def test_nodes_give_the_joints(walk):
    path, motion = walk
    document, binary = parts(path.read_bytes())
    held = motion.upright(motion.held())
    for frame in range(5):
        found = places(document, binary, frame)
        for joint, name in NAMES.items():
            np.testing.assert_allclose(found[name], held[frame, motion.skeleton.index(joint)], atol=1e-5)
    times = array(document, binary, document["animations"][0]["samplers"][0]["input"])
    np.testing.assert_allclose(times[:, 0], np.arange(5) / 50, atol=1e-6)
    assert document["scenes"][0]["extras"]["level_by"] == "camera"


def test_the_body_hangs_on_the_skeleton(walk):
    document, binary = parts(walk[0].read_bytes())
    (primitive,) = document["meshes"][0]["primitives"]
    points, joints, weights = (
        array(document, binary, primitive["attributes"][name])
        for name in ("POSITION", "JOINTS_0", "WEIGHTS_0")
    )
    assert len(points) == len(joints) == len(weights)
    assert joints.max() < len(document["skins"][0]["joints"])
    np.testing.assert_array_equal(weights.sum(axis=1), 1)
    accessor = document["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_allclose(accessor["max"], points.max(axis=0))
    inverse = array(document, binary, document["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4)
    # Bound in the rest pose: feet below the pelvis, head above.
    names = [node["name"] for node in document["nodes"]]
    assert -inverse[names.index("LeftFoot"), 3, 1] < -0.6
    assert -inverse[names.index("Head"), 3, 1] > 0.4


def test_pygltflib_reads_it(walk):
    pygltflib = pytest.importorskip("pygltflib")
    read = pygltflib.GLTF2().load(str(walk[0]))
    assert len(read.animations[0].channels) > 10
    assert read.skins[0].skeleton == 0
