"""Acclaim's skeleton (ASF) and motion (AMC), as the CMU database gives them."""

from __future__ import annotations

import dataclasses
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

__all__ = ["AcclaimSkeleton", "parse_amc", "parse_asf", "read_amc", "read_asf"]

_INCH = 0.0254
_TURNS = ("rx", "ry", "rz")
_MOVES = ("tx", "ty", "tz")


@dataclasses.dataclass(frozen=True)
class AcclaimBone:
    """A bone, whose end is a joint.

    Attributes:
        name: As in the file.
        offset: `(3,)` from the bone's beginning to its end, in the skeleton's axes.
        axis: `(3, 3)` the bone's own axes, about which it turns.
        dof: The values that a frame has for it, e.g. `("rx", "rz")`.
    """

    name: str
    offset: Floats
    axis: Floats
    dof: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class AcclaimSkeleton:
    """An ASF file.

    Attributes:
        order: The values that a frame has for the root, e.g. `("tx", "ty", "tz", "rx", "ry", "rz")`.
        root_axis: `(3, 3)` of the root.
        root_position: `(3,)`.
        bones: Parents first.
        parents: Of the bones, as indices of joints: 0 is the root, bone i ends at joint i + 1.
        metres: Length of the file's unit.
        degrees: Whether angles are degrees.
    """

    order: tuple[str, ...]
    root_axis: Floats
    root_position: Floats
    bones: tuple[AcclaimBone, ...]
    parents: tuple[int, ...]
    metres: float
    degrees: bool


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise Pose3DError(f"{path}: {error.strerror}") from None


def read_asf(path: str | Path) -> AcclaimSkeleton:
    """A skeleton.

    Raises:
        Pose3DError: Not an ASF file, or one that is cut short or contradicts itself, with its line.
    """
    return parse_asf(_text(Path(path)), str(path))


def read_amc(path: str | Path, skeleton: AcclaimSkeleton, fps: float | None = None) -> SkeletonMotion:
    """A motion of a skeleton in the world, in the skeleton's unit, y up.

    Args:
        path: The AMC file.
        skeleton: Of the same person.
        fps: Frames per second, which AMC files do not say (CMU's are 120, some 60).

    Raises:
        Pose3DError: Not an AMC file, another skeleton's, or one that is cut short, with its line.
    """
    return parse_amc(_text(Path(path)), skeleton, str(path), fps)


def _fail(where: str, number: int, text: str) -> Pose3DError:
    # A damaged line may be of any length.
    text = text if len(text) <= 300 else f"{text[:297]}..."
    return Pose3DError(f"{where}: line {number}: {text}")


def _floats(words: list[str], count: int, where: str, number: int, what: str) -> Floats:
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.zeros(0)
    if len(values) != count or not (np.abs(values) <= LARGEST).all():
        raise _fail(
            where, number, f"{what} {' '.join(words)[:60]!r}, expected {count} numbers up to {LARGEST:g}"
        )
    return values


# A line's number and its words.
_Line = tuple[int, list[str]]


def _sections(text: str, where: str) -> dict[str, list[_Line]]:
    """Lines of each section by its name, comments and empty lines left out."""
    sections: dict[str, list[_Line]] = {}
    current: list[_Line] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
            if words[1:]:
                current.append((number, words[1:]))
        elif current is None:
            raise _fail(where, number, f"{' '.join(words)[:40]!r}, expected a section such as :version")
        else:
            current.append((number, words))
    return sections


def _axis_matrix(angles: Floats, order: str, degrees: bool, where: str, number: int) -> Floats:
    letters = order.lower()
    if sorted(letters) != ["x", "y", "z"]:
        raise _fail(where, number, f"axis order {order!r}, expected XYZ or another order of these")
    turned = np.radians(angles) if degrees else angles
    # The first letter turns first: it is the rightmost factor. Angles stand in the order of the letters.
    return euler_matrices(turned[None, ::-1], letters[::-1])[0]


def parse_asf(text: str, where: str = "ASF") -> AcclaimSkeleton:
    """As `read_asf`, of a file's text."""
    sections = _sections(text, where)
    for name in ("root", "bonedata", "hierarchy"):
        if name not in sections:
            raise Pose3DError(f"{where}: no section :{name}; is it an ASF file, and whole?")
    metres, degrees = _INCH, True
    for number, words in sections.get("units", []):
        if words[0].lower() == "length":
            (length,) = _floats(words[1:], 1, where, number, "length")
            if length <= 0:
                raise _fail(where, number, f"length {length:g}, expected a number above 0")
            # Inches, scaled down by this number.
            metres = _INCH / float(length)
        elif words[0].lower() == "angle":
            degrees = words[-1].lower().startswith("deg")
    order, axis, position = _read_root(sections["root"], degrees, where)
    bones = _read_bones(sections["bonedata"], degrees, where)
    ordered, parents = _read_hierarchy(sections["hierarchy"], bones, where)
    return AcclaimSkeleton(order, axis, position, ordered, parents, metres, degrees)


def _read_root(lines: list[_Line], degrees: bool, where: str) -> tuple[tuple[str, ...], Floats, Floats]:
    order: tuple[str, ...] = ()
    axes, position, orientation, last = "XYZ", np.zeros(3), np.zeros(3), 0
    for number, words in lines:
        last = number
        keyword = words[0].lower()
        if keyword == "order":
            order = tuple(word.lower() for word in words[1:])
            if not order or set(order) - {*_TURNS, *_MOVES}:
                raise _fail(where, number, f"order {' '.join(words[1:])!r}, expected TX TY TZ RX RY RZ")
        elif keyword == "axis":
            axes = words[-1]
        elif keyword == "position":
            position = _floats(words[1:], 3, where, number, "position")
        elif keyword == "orientation":
            orientation = _floats(words[1:], 3, where, number, "orientation")
    if not order:
        raise _fail(where, last, ":root has no order")
    return order, _axis_matrix(orientation, axes, degrees, where, last), position


def _read_bones(lines: list[_Line], degrees: bool, where: str) -> dict[str, AcclaimBone]:
    bones: dict[str, AcclaimBone] = {}
    held: dict[str, _Line] | None = None
    for number, words in lines:
        keyword = words[0].lower()
        if keyword == "begin":
            held = {}
        elif keyword == "end":
            if held is None:
                raise _fail(where, number, "end without begin")
            bone = _make_bone(held, degrees, where, number)
            bones[bone.name] = bone
            held = None
        elif held is None:
            raise _fail(where, number, f"{' '.join(words)[:40]!r}, expected begin")
        elif not words[0].startswith("("):
            held.setdefault(keyword, (number, words[1:]))
    if held is not None:
        raise Pose3DError(f"{where}: the last bone has no end; the file is cut short")
    return bones


def _make_bone(held: dict[str, _Line], degrees: bool, where: str, number: int) -> AcclaimBone:
    lacking = [key for key in ("name", "direction", "length") if key not in held]
    if lacking:
        raise _fail(where, number, f"a bone without {lacking[0]}")
    name = " ".join(held["name"][1])
    direction = _floats(held["direction"][1], 3, where, held["direction"][0], "direction")
    (length,) = _floats(held["length"][1], 1, where, held["length"][0], "length")
    axis = np.eye(3)
    if "axis" in held:
        line, words = held["axis"]
        axis = _axis_matrix(_floats(words[:3], 3, where, line, "axis"), words[-1], degrees, where, line)
    dof = tuple(word.lower() for word in held["dof"][1]) if "dof" in held else ()
    if set(dof) - {*_TURNS, *_MOVES, "l"}:
        raise _fail(where, held["dof"][0], f"dof {' '.join(held['dof'][1])!r}, expected some of rx ry rz")
    norm = float(np.linalg.norm(direction))
    if norm == 0 and length:
        raise _fail(where, held["direction"][0], "a direction of no length")
    return AcclaimBone(name, direction / max(norm, 1e-12) * length, axis, dof)


def _read_hierarchy(
    lines: list[_Line], bones: dict[str, AcclaimBone], where: str
) -> tuple[tuple[AcclaimBone, ...], tuple[int, ...]]:
    ordered: list[AcclaimBone] = []
    parents: list[int] = []
    known = {"root": 0}
    for number, words in lines:
        if words[0].lower() in ("begin", "end"):
            continue
        if words[0] not in known:
            raise _fail(where, number, f"parent {words[0]!r} before it is itself a child")
        for name in words[1:]:
            if name not in bones or name in known:
                problem = "is no bone of :bonedata" if name not in bones else "has two parents"
                raise _fail(where, number, f"{name!r} {problem}")
            ordered.append(bones[name])
            parents.append(known[words[0]])
            known[name] = len(ordered)
    if not ordered:
        raise Pose3DError(f"{where}: :hierarchy is empty")
    return tuple(ordered), tuple(parents)


def parse_amc(
    text: str, skeleton: AcclaimSkeleton, where: str = "AMC", fps: float | None = None
) -> SkeletonMotion:
    """As `read_amc`, of a file's text."""
    sizes = {"root": len(skeleton.order)} | {bone.name: len(bone.dof) for bone in skeleton.bones}
    degrees = skeleton.degrees
    frames: list[dict[str, Floats]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            if words[0].lower() in (":degrees", ":radians"):
                degrees = words[0].lower() == ":degrees"
        elif len(words) == 1 and words[0].isdecimal():
            frames.append({})
        elif not frames:
            raise _fail(
                where, number, f"{line.strip()[:40]!r}, expected a frame's number: is it an AMC file?"
            )
        elif words[0] not in sizes:
            raise _fail(where, number, f"no bone {words[0]!r} in the skeleton; is it this person's ASF?")
        else:
            frames[-1][words[0]] = _floats(words[1:], sizes[words[0]], where, number, words[0])
    if not frames:
        raise Pose3DError(f"{where}: no frame, expected an AMC file")
    needed = {name for name, size in sizes.items() if size}
    for count, frame in enumerate(frames):
        lacking = sorted(needed - set(frame))
        if lacking:
            raise Pose3DError(f"{where}: frame {count + 1} of {len(frames)} has no {lacking[0]}")
    values = {name: np.stack([frame[name] for frame in frames]) for name in needed}
    return _place(skeleton, values, len(frames), degrees, fps)


def _place(
    skeleton: AcclaimSkeleton, values: dict[str, Floats], frames: int, degrees: bool, fps: float | None
) -> SkeletonMotion:
    """Joints of all frames: the root and the ends of the bones.

    A bone turns about its own axes: in the skeleton's axes, against its parent, by `axis @ turn @ axis.T`.
    The end of a bone lies in the axes of the bone itself, so that a joint's translation is turned by its own
    rotation: positions follow from the parents' ends.
    """
    joints = len(skeleton.bones) + 1
    turned = np.zeros((frames, joints, 3, 3))
    translations = np.zeros((frames, joints, 3))
    for joint in range(joints):
        name, dof, axis = "root", skeleton.order, skeleton.root_axis
        if joint:
            bone = skeleton.bones[joint - 1]
            name, dof, axis = bone.name, bone.dof, bone.axis
        held = values.get(name, np.zeros((frames, 0)))
        turns = [place for place, kind in enumerate(dof) if kind in _TURNS]
        angles = np.radians(held[:, turns]) if degrees else held[:, turns]
        # As listed, the first turns first.
        letters = "".join(dof[place][1] for place in reversed(turns))
        turned[:, joint] = axis @ euler_matrices(angles[:, ::-1], letters) @ axis.T
        moved = np.zeros((frames, 3))
        for place, kind in enumerate(dof):
            if kind in _MOVES:
                moved[:, _MOVES.index(kind)] += held[:, place]
        if not joint:
            translations[:, 0] = moved + skeleton.root_position
            continue
        length = np.ones(frames)
        if "l" in dof:
            length = 1 + held[:, dof.index("l")] / max(float(np.linalg.norm(bone.offset)), 1e-12)
        own = bone.offset * length[:, None] + moved @ axis.T
        translations[:, joint] = np.einsum("fij,fj->fi", turned[:, joint], own)
    parents = (-1, *skeleton.parents)
    positions, rotations = forward_kinematics(parents, translations, turned)
    names = ("root", *(bone.name for bone in skeleton.bones))
    offsets = np.array([skeleton.root_position, *(bone.offset for bone in skeleton.bones)])
    return SkeletonMotion(names, parents, offsets, rotations, positions, fps, skeleton.metres)
