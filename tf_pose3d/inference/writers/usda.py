"""USD text files (.usda): a UsdSkel skeleton, its animation, and a body of spindles that it moves.

Metres, y up; usdview, Omniverse, Blender and Houdini open it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig
from tf_pose3d.inference.writers.bone_mesh import rest_places, spindles
from tf_pose3d.inference.writers.rig_names import rig_names
from tf_pose3d.inference.writers.rigged import check_frames, rig_of

__all__ = ["check", "usda_text", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that there is a frame.

    Raises:
        Pose3DError: There is none.
    """
    check_frames(path, num_frames)


def write(path: Path, motion: Motion) -> None:
    """Writes `usda_text`; frames without a pose repeat the last.

    Raises:
        Pose3DError: As `tf_pose3d.inference.writers.rigged.rig_of`.
    """
    rig = rig_of(path, motion)
    with write_whole(path, "w") as file:
        file.write(usda_text(rig, motion.bone_names, f"level by {motion.level or 'nothing'}"))


def usda_text(rig: Rig, convention: str = "mixamo", note: str = "") -> str:
    """The content of a `.usda` file.

    Args:
        rig: The motion.
        convention: Of the joints' names.
        note: The layer's documentation.
    """
    paths = _paths(rig, rig_names(rig, convention))
    places, mesh = rest_places(rig), spindles(rig)
    last = len(rig.root) - 1
    rest = [joint.offset for joint in rig.joints]
    quaternions = rig.quaternions()
    count = len(rig.joints)
    moving = np.tile(np.array(rest), (len(rig.root), 1, 1))
    moving[:, 0] = rig.root
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    lines = [
        "#usda 1.0",
        "(",
        '    defaultPrim = "Person"',
        f'    doc = "{note}"',
        f"    endTimeCode = {last}",
        f"    framesPerSecond = {rig.fps:g}",
        "    metersPerUnit = 1",
        "    startTimeCode = 0",
        f"    timeCodesPerSecond = {rig.fps:g}",
        '    upAxis = "Y"',
        ")",
        "",
        'def SkelRoot "Person" (',
        '    prepend apiSchemas = ["SkelBindingAPI"]',
        ")",
        "{",
        f"    float3[] extent = [{_tuple(low - 3)}, {_tuple(high + 3)}]",
        "    rel skel:skeleton = </Person/Skeleton>",
        "    rel skel:animationSource = </Person/Motion>",
        "",
        '    def Skeleton "Skeleton" (',
        '        prepend apiSchemas = ["SkelBindingAPI"]',
        "    )",
        "    {",
        f"        uniform token[] joints = [{_quoted(paths)}]",
        f"        uniform matrix4d[] bindTransforms = [{_matrices(places)}]",
        f"        uniform matrix4d[] restTransforms = [{_matrices(rest)}]",
        "        rel skel:animationSource = </Person/Motion>",
        "    }",
        "",
        '    def SkelAnimation "Motion"',
        "    {",
        f"        uniform token[] joints = [{_quoted(paths)}]",
        f"        half3[] scales = [{', '.join(['(1, 1, 1)'] * count)}]",
        "        quatf[] rotations.timeSamples = {",
        *(f"            {frame}: [{_tuples(quaternions[frame])}]," for frame in range(last + 1)),
        "        }",
        "        float3[] translations.timeSamples = {",
        *(f"            {frame}: [{_tuples(moving[frame])}]," for frame in range(last + 1)),
        "        }",
        "    }",
        "",
        '    def Mesh "Body" (',
        '        prepend apiSchemas = ["SkelBindingAPI"]',
        "    )",
        "    {",
        "        uniform bool doubleSided = 1",
        f"        int[] faceVertexCounts = [{', '.join(['3'] * (len(mesh.points) // 3))}]",
        f"        int[] faceVertexIndices = [{', '.join(map(str, range(len(mesh.points))))}]",
        f"        point3f[] points = [{_tuples(mesh.points)}]",
        f"        normal3f[] normals = [{_tuples(mesh.normals)}] (",
        '            interpolation = "vertex"',
        "        )",
        "        color3f[] primvars:displayColor = [(0.45, 0.62, 0.85)]",
        '        uniform token subdivisionScheme = "none"',
        "        matrix4d primvars:skel:geomBindTransform = "
        "((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1))",
        f"        int[] primvars:skel:jointIndices = [{', '.join(map(str, mesh.joint))}] (",
        "            elementSize = 1",
        '            interpolation = "vertex"',
        "        )",
        f"        float[] primvars:skel:jointWeights = [{', '.join(['1'] * len(mesh.joint))}] (",
        "            elementSize = 1",
        '            interpolation = "vertex"',
        "        )",
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _paths(rig: Rig, names: tuple[str, ...]) -> list[str]:
    paths: list[str] = []
    for joint, name in zip(rig.joints, names, strict=True):
        paths.append(name if joint.parent < 0 else f"{paths[joint.parent]}/{name}")
    return paths


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _tuple(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{float(value):.6g}" for value in values) + ")"


def _tuples(rows: np.ndarray) -> str:
    return ", ".join(_tuple(row) for row in rows)


def _matrices(places: Iterable[np.ndarray]) -> str:
    return ", ".join(f"((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), {_tuple(np.append(p, 1))})" for p in places)
