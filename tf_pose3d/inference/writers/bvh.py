"""BVH files: poses as rotations of one skeleton, as Blender opens them.

The file is in metres with y up. In the rest pose the person stands in a T, faces +z and has their left at +x;
see `tf_pose3d.inference.motion.rig`. Names are those that retargeting tools know
(`tf_pose3d.inference.writers.rig_names`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig
from tf_pose3d.inference.writers.rig_names import rig_names
from tf_pose3d.inference.writers.rigged import check_frames, rig_of

__all__ = ["bvh_text", "check", "write"]


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that there is a frame.

    Raises:
        Pose3DError: There is none.
    """
    check_frames(path, num_frames)


def write(path: Path, motion: Motion) -> None:
    """Writes the poses as `bvh_text`; frames without one repeat the last, as the format has no gaps.

    Raises:
        Pose3DError: As `tf_pose3d.inference.writers.rigged.rig_of`.
    """
    rig = rig_of(path, motion)
    with write_whole(path, "w") as file:
        file.write(bvh_text(rig, motion.bone_names))


def bvh_text(rig: Rig, convention: str = "mixamo") -> str:
    """The content of a `.bvh` file.

    Args:
        rig: The motion.
        convention: Of the joints' names, see `tf_pose3d.inference.writers.rig_names`.
    """
    names = rig_names(rig, convention)
    turns = np.stack([_degrees(rig.rotations[:, number]) for number in range(len(names))], axis=1)
    order = list(_depth_first(rig))
    values = np.concatenate([rig.root, turns[:, order].reshape(len(rig.root), -1)], axis=1)
    lines = ["HIERARCHY", *_hierarchy(rig, names, 0, 0)]
    lines += ["MOTION", f"Frames: {len(rig.root)}", f"Frame Time: {1 / rig.fps:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in values]
    return "\n".join(lines) + "\n"


def _degrees(rotations: np.ndarray) -> np.ndarray:
    """`(F, 3)` angles z, x, y in degrees of `(F, 3, 3)` = Rz Rx Ry, without jumps by whole turns."""
    x = np.arcsin(np.clip(rotations[:, 2, 1], -1, 1))
    z = np.arctan2(-rotations[:, 0, 1], rotations[:, 1, 1])
    y = np.arctan2(-rotations[:, 2, 0], rotations[:, 2, 2])
    return np.degrees(np.unwrap(np.stack([z, x, y], axis=1), axis=0))


def _children(rig: Rig, joint: int) -> list[int]:
    return [number for number, parent in enumerate(rig.parents) if parent == joint]


def _depth_first(rig: Rig, joint: int = 0) -> Iterator[int]:
    yield joint
    for child in _children(rig, joint):
        yield from _depth_first(rig, child)


def _hierarchy(rig: Rig, names: tuple[str, ...], joint: int, depth: int) -> Iterator[str]:
    pad, held = "\t" * depth, rig.joints[joint]
    yield f"{pad}{'JOINT' if depth else 'ROOT'} {names[joint]}"
    yield f"{pad}{{"
    yield f"{pad}\tOFFSET {_numbers(held.offset)}"
    place = "" if depth else "Xposition Yposition Zposition "
    yield f"{pad}\tCHANNELS {3 if depth else 6} {place}Zrotation Xrotation Yrotation"
    for child in _children(rig, joint):
        yield from _hierarchy(rig, names, child, depth + 1)
    if held.end is not None:
        yield f"{pad}\tEnd Site"
        yield f"{pad}\t{{"
        yield f"{pad}\t\tOFFSET {_numbers(held.end)}"
        yield f"{pad}\t}}"
    yield f"{pad}}}"


def _numbers(vector: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in vector)
