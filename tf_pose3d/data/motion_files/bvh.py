"""BVH: Biovision's hierarchy of joints with Euler angles a frame."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

from tf_pose3d.data.checks import LARGEST
from tf_pose3d.data.motion_files.skeleton_motion import (
    Floats,
    SkeletonMotion,
    euler_matrices,
    forward_kinematics,
)
from tf_pose3d.errors import Pose3DError

__all__ = ["parse_bvh", "read_bvh"]

_CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz")


@dataclasses.dataclass
class _Joint:
    """A joint of the hierarchy; an end has no channels."""

    name: str
    parent: int
    line: int
    offset: tuple[float, ...] | None = None
    channels: tuple[str, ...] | None = None
    is_end: bool = False


def read_bvh(path: str | Path) -> SkeletonMotion:
    """A BVH file's joints in the world, in the file's unit and axes (y is up in nearly all).

    Raises:
        Pose3DError: Not a BVH file, or one that is cut short or contradicts itself, with its line.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Pose3DError(f"{path}: {error.strerror}") from None
    return parse_bvh(content.decode("utf-8-sig", errors="replace"), str(path))


def parse_bvh(text: str, where: str = "BVH") -> SkeletonMotion:
    """As `read_bvh`, of a file's text.

    Args:
        text: The file.
        where: Names it in messages.
    """
    lines = text.splitlines()
    joints, after = _read_hierarchy(lines, where)
    count, seconds, first = _read_header(lines, after, where)
    columns = sum(len(joint.channels or ()) for joint in joints)
    values = _read_values(lines, first, count, columns, where)
    return _place(joints, values, 1 / seconds)


def _fail(where: str, number: int, text: str) -> Pose3DError:
    # A damaged line may be of any length.
    text = text if len(text) <= 300 else f"{text[:297]}..."
    return Pose3DError(f"{where}: line {number + 1}: {text}")


def _numbers(words: list[str], count: int, where: str, number: int, what: str) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        values = ()
    if len(values) != count or not (np.abs(values) <= LARGEST).all():
        raise _fail(
            where, number, f"{what} {' '.join(words)[:60]!r}, expected {count} numbers up to {LARGEST:g}"
        )
    return values


def _read_hierarchy(lines: list[str], where: str) -> tuple[list[_Joint], int]:
    """Joints in the file's order, and the line of MOTION."""
    joints: list[_Joint] = []
    stack: list[int] = []
    opened = False  # a joint was named, its brace has yet to come
    begun = False
    for number, line in enumerate(lines):
        # Braces may stand on lines of their own or not.
        for part in re.findall(r"[{}]|[^{}]+", line):
            words = part.split()
            if not words:
                continue
            keyword = words[0].lower()
            if not begun:
                if keyword != "hierarchy":
                    raise _fail(
                        where, number, f"{part.strip()[:40]!r}, expected HIERARCHY: is it a BVH file?"
                    )
                begun = True
            elif keyword == "{":
                if not opened:
                    raise _fail(where, number, "a brace that opens nothing")
                stack.append(len(joints) - 1)
                opened = False
            elif opened:
                raise _fail(where, number, f"{part.strip()[:40]!r}, expected an opening brace")
            elif keyword == "}":
                if not stack:
                    raise _fail(where, number, "a closing brace too many")
                _check_joint(joints[stack.pop()], where)
            elif keyword in ("root", "joint", "end"):
                joints.append(_name_joint(joints, stack, keyword, words, where, number))
                opened = True
            elif keyword == "motion":
                if stack:
                    raise _fail(where, number, f"MOTION inside {joints[stack[-1]].name}: a brace is missing")
                if not joints:
                    raise _fail(where, number, "MOTION before any ROOT")
                return joints, number
            elif not stack:
                raise _fail(where, number, f"{part.strip()[:40]!r}, expected ROOT or MOTION")
            elif keyword == "offset":
                joints[stack[-1]].offset = _numbers(words[1:], 3, where, number, "OFFSET")
            elif keyword == "channels":
                joints[stack[-1]].channels = _read_channels(words[1:], where, number)
            else:
                raise _fail(
                    where, number, f"{part.strip()[:40]!r}, expected OFFSET, CHANNELS, JOINT or End Site"
                )
    if not begun:
        raise Pose3DError(f"{where}: the file is empty, expected a BVH file")
    raise Pose3DError(f"{where}: no MOTION after {len(joints)} joints; the file is cut short")


def _name_joint(
    joints: list[_Joint], stack: list[int], keyword: str, words: list[str], where: str, number: int
) -> _Joint:
    if (keyword == "root") != (not stack):
        raise _fail(where, number, f"{words[0]} {'outside' if not stack else 'inside'} a joint")
    if keyword == "end":
        return _Joint(f"{joints[stack[-1]].name}_end", stack[-1], number, is_end=True)
    if len(words) < 2:
        raise _fail(where, number, f"{words[0]} without a name")
    name = " ".join(words[1:])
    if any(joint.name == name for joint in joints):
        raise _fail(where, number, f"a second joint of the name {name!r}")
    return _Joint(name, stack[-1] if stack else -1, number)


def _check_joint(joint: _Joint, where: str) -> None:
    if joint.offset is None:
        raise _fail(where, joint.line, f"joint {joint.name} has no OFFSET")
    if joint.channels is None and not joint.is_end:
        joint.channels = ()


def _read_channels(words: list[str], where: str, number: int) -> tuple[str, ...]:
    names = tuple(word.lower() for word in words[1:])
    strange = [name for name in names if name not in _CHANNELS]
    if strange or not words or words[0] != str(len(names)) or len(set(names)) != len(names):
        raise _fail(
            where,
            number,
            f"CHANNELS {' '.join(words)[:80]!r}, expected their number and as many of Xposition, Yposition, "
            "Zposition, Xrotation, Yrotation, Zrotation",
        )
    return names


def _read_header(lines: list[str], after: int, where: str) -> tuple[int, float, int]:
    """Frames, seconds a frame, and the first line of values."""
    count: int | None = None
    seconds: float | None = None
    for number in range(after + 1, len(lines)):
        line = lines[number].strip()
        if not line:
            continue
        name, _, value = line.partition(":")
        key = " ".join(name.lower().split())
        if key == "frames":
            if not value.strip().isdecimal() or int(value) == 0:
                raise _fail(where, number, f"Frames: {value.strip()!r}, expected a number above 0")
            count = int(value)
        elif key == "frame time":
            (seconds,) = _numbers(value.replace(",", ".").split(), 1, where, number, "Frame Time:")
            if not 1e-4 <= seconds <= 10:
                raise _fail(where, number, f"Frame Time: {seconds:g}, expected seconds a frame")
        else:
            raise _fail(where, number, f"{line[:40]!r}, expected Frames: and Frame Time:")
        if count is not None and seconds is not None:
            return count, seconds, number + 1
    raise Pose3DError(f"{where}: no Frames: and Frame Time: after MOTION; the file is cut short")


def _read_values(lines: list[str], first: int, count: int, columns: int, where: str) -> Floats:
    """`(F, columns)`."""
    words = " ".join(lines[first:]).split()
    if len(words) != count * columns:
        per_line = {len(line.split()) for line in lines[first:] if line.strip()}
        hint = f"; lines hold {sorted(per_line)[0]} values" if len(per_line) == 1 else ""
        raise Pose3DError(
            f"{where}: {len(words)} values after Frame Time:, expected {count} frames of {columns}{hint}; "
            "the file is cut short, or its Frames: or CHANNELS is wrong"
        )
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError:
        for number in range(first, len(lines)):
            _numbers(lines[number].split(), len(lines[number].split()), where, number, "values")
        raise
    values = values.reshape(count, columns)
    fine = (np.abs(values) <= LARGEST).all(axis=1)
    if not fine.all():
        frame = int(np.argmin(fine))
        raise Pose3DError(f"{where}: frame {frame} holds a value that is not finite, or beyond {LARGEST:g}")
    return values


def _place(joints: list[_Joint], values: Floats, fps: float) -> SkeletonMotion:
    frames = len(values)
    offsets = np.array([joint.offset for joint in joints], np.float64)
    translations = np.repeat(offsets[None], frames, axis=0)
    rotations = np.broadcast_to(np.eye(3), (frames, len(joints), 3, 3)).copy()
    column = 0
    for number, joint in enumerate(joints):
        channels = joint.channels or ()
        held = values[:, column : column + len(channels)]
        column += len(channels)
        turns = [place for place, channel in enumerate(channels) if channel.endswith("rotation")]
        axes = "".join(channels[place][0] for place in turns)
        rotations[:, number] = euler_matrices(np.radians(held[:, turns]), axes)
        for place, channel in enumerate(channels):
            # A position stands in the place of the offset.
            if channel.endswith("position"):
                translations[:, number, "xyz".index(channel[0])] = held[:, place]
    parents = tuple(joint.parent for joint in joints)
    positions, turned = forward_kinematics(parents, translations, rotations)
    return SkeletonMotion(tuple(joint.name for joint in joints), parents, offsets, turned, positions, fps)
