"""glTF 2.0 in one binary file (.glb): a skeleton, its animation, and a body of spindles that it moves.

Metres, y up, as the format has it; Blender, three.js, Unity and Godot open it. Joints that hold no rotation
of their own for the whole clip have no channel. Node names are those of
`tf_pose3d.inference.writers.rig_names`.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig
from tf_pose3d.inference.writers.bone_mesh import rest_places, spindles
from tf_pose3d.inference.writers.rig_names import rig_names
from tf_pose3d.inference.writers.rigged import check_frames, rig_of

__all__ = ["check", "glb_bytes", "write"]

# Numbers of the specification (Khronos, glTF 2.0, sections 3.6.2 and 5.1).
_FLOAT, _BYTE = 5126, 5121
_VERTICES = 34962
_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_KINDS = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_COLOUR = [0.45, 0.62, 0.85, 1.0]


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that there is a frame.

    Raises:
        Pose3DError: There is none.
    """
    check_frames(path, num_frames)


def write(path: Path, motion: Motion) -> None:
    """Writes `glb_bytes`; frames without a pose repeat the last.

    Raises:
        Pose3DError: As `tf_pose3d.inference.writers.rigged.rig_of`.
    """
    rig = rig_of(path, motion)
    extras = {"level_by": motion.level, "placement": motion.placement, "subject": motion.subject}
    with write_whole(path) as file:
        file.write(glb_bytes(rig, motion.bone_names, extras))


class _Buffer:
    """The binary part, with its views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: npt.NDArray[Any], target: int | None = None, bounds: bool = False) -> int:
        """Appends an array `(count, ...)` of float32 or uint8; the number of its accessor."""
        kind = _FLOAT if values.dtype == np.float32 else _BYTE
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": values.nbytes}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self.data += np.ascontiguousarray(values).tobytes()
        self.data += b"\0" * (-len(self.data) % 4)
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": kind,
            "count": len(values),
            "type": _KINDS[values.shape[1:]],
        }
        if bounds:
            flat = values.reshape(len(values), -1).astype(np.float64)
            accessor["min"], accessor["max"] = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def glb_bytes(rig: Rig, convention: str = "mixamo", extras: dict[str, str] | None = None) -> bytes:
    """The content of a `.glb` file.

    Args:
        rig: The motion.
        convention: Of the joints' names.
        extras: What the scene says about itself.
    """
    buffer, count = _Buffer(), len(rig.joints)
    nodes = _nodes(rig, convention)
    mesh = spindles(rig)
    joints = np.zeros((len(mesh.joint), 4), np.uint8)
    joints[:, 0] = mesh.joint
    weights = np.zeros((len(mesh.joint), 4), np.float32)
    weights[:, 0] = 1
    attributes = {
        "POSITION": buffer.add(mesh.points, _VERTICES, bounds=True),
        "NORMAL": buffer.add(mesh.normals, _VERTICES),
        "JOINTS_0": buffer.add(joints, _VERTICES),
        "WEIGHTS_0": buffer.add(weights, _VERTICES),
    }
    inverse = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    # Matrices are stored column by column.
    inverse[:, 3, :3] = -rest_places(rig)
    skin = {
        "inverseBindMatrices": buffer.add(inverse),
        "skeleton": 0,
        "joints": list(range(count)),
        "name": "skeleton",
    }
    nodes.append({"name": "body", "mesh": 0, "skin": 0})
    document = {
        "asset": {"version": "2.0", "generator": "tf_pose3d"},
        "scene": 0,
        "scenes": [{"name": "motion", "nodes": [0, count], "extras": extras or {}}],
        "nodes": nodes,
        "skins": [skin],
        "meshes": [{"name": "body", "primitives": [{"attributes": attributes, "material": 0}]}],
        "materials": [
            {
                "name": "body",
                "pbrMetallicRoughness": {
                    "baseColorFactor": _COLOUR,
                    "metallicFactor": 0,
                    "roughnessFactor": 0.8,
                },
            }
        ],
        "animations": [_animation(rig, buffer)],
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    return _packed(document, bytes(buffer.data))


def _nodes(rig: Rig, convention: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for number, (joint, name) in enumerate(zip(rig.joints, rig_names(rig, convention), strict=True)):
        place = joint.offset if joint.parent >= 0 else rig.root[0]
        node: dict[str, Any] = {"name": name, "translation": [float(value) for value in place]}
        children = [other for other, parent in enumerate(rig.parents) if parent == number]
        if children:
            node["children"] = children
        nodes.append(node)
    return nodes


def _animation(rig: Rig, buffer: _Buffer) -> dict[str, Any]:
    times = buffer.add((np.arange(len(rig.root)) / rig.fps).astype(np.float32), bounds=True)
    quaternions = rig.quaternions()[..., [1, 2, 3, 0]].astype(np.float32)
    samplers, channels = [], []

    def channel(values: npt.NDArray[np.float32], node: int, path: str) -> None:
        samplers.append({"input": times, "output": buffer.add(values), "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    channel(rig.root.astype(np.float32), 0, "translation")
    for number in range(len(rig.joints)):
        if not np.allclose(quaternions[:, number], [0, 0, 0, 1], atol=1e-6):
            channel(quaternions[:, number], number, "rotation")
    return {"name": "motion", "samplers": samplers, "channels": channels}


def _packed(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    return b"".join(
        [
            struct.pack("<III", _MAGIC, 2, length),
            struct.pack("<II", len(text), _JSON),
            text,
            struct.pack("<II", len(binary), _BIN),
            binary,
        ]
    )
