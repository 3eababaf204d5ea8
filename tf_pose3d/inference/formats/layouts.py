"""Joint layouts of detections: by the user's word, the names that a file states, or the number of joints."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np

from tf_pose3d.errors import Pose3DError, shown_name
from tf_pose3d.inference.formats.joint_names import find_joint
from tf_pose3d.inference.formats.values import LARGEST_PIXEL
from tf_pose3d.inference.sanity import limb_warnings
from tf_pose3d.skeleton import LAYOUTS, Skeleton, get_skeleton, make_skeleton

__all__ = [
    "BODY_OF",
    "BY_COUNT",
    "JointColumns",
    "choose_layout",
    "fitting_layouts",
    "named_joints",
    "stated_skeleton",
]

# Whole-body layouts begin with the joints of a body layout: COCO-WholeBody, Halpe, OpenPose's BODY_135, and
# MediaPipe's holistic model (pose, two hands of 21, a face of 468 or 478).
BODY_OF = {133: "coco_17", 136: "halpe_26", 135: "openpose_25b", 543: "mediapipe_33", 553: "mediapipe_33"}

# Layouts that a number of joints may mean where nothing else is said; the content decides among several.
# Seventeen is none of these: COCO's and Human3.6M's are both common, and a wrong guess is silent.
BY_COUNT: Mapping[int, tuple[str, ...]] = {
    18: ("openpose_18",),
    25: ("openpose_25", "openpose_25b", "kinect_25"),
    26: ("halpe_26",),
    33: ("mediapipe_33",),
    15: ("humaneva_15", "openpose_15"),
}

# Lists whose names mean other points there than elsewhere, as MMPose's data sets write them.
_LISTS = {
    "h36m_17": (
        "root right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck_base head "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
    ),
    "mpii_16": (
        "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
        "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
    ),
}


@dataclasses.dataclass(frozen=True)
class JointColumns:
    """Which of a detection's points are which joints.

    Attributes:
        skeleton: Names the J joints.
        columns: `(J,)` their places among the detection's points.
        warnings: What was doubtful, one line each.
    """

    skeleton: Skeleton
    columns: np.ndarray
    warnings: tuple[str, ...] = ()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_KNOWN_LISTS = {tuple(_plain(name) for name in names.split()): layout for layout, names in _LISTS.items()} | {
    tuple(_plain(name) for name in skeleton.joints): name for name, skeleton in LAYOUTS.items()
}


def named_joints(names: Sequence[str], where: str) -> JointColumns:
    """Joints by their stated names; points with other names (of faces, hands, balls) are passed over.

    Args:
        names: One per point, in a tool's or data set's way.
        where: Names the file in messages.

    Raises:
        Pose3DError: No known name, or one joint under two names.
    """
    known = _KNOWN_LISTS.get(tuple(_plain(name) for name in names))
    if known is not None:
        return JointColumns(get_skeleton(known), np.arange(len(names)))
    plain = [_plain(name) for name in names]
    found = [find_joint(name) for name in names]
    joints = set(found)
    # Halpe's and Pose2Sim's `hip` is the middle, and their `head` the top, as a face is named beside it.
    middle = "hip" in plain and {"l_hip", "r_hip"} <= joints and "pelvis" not in joints
    face = {"nose", "l_eye", "r_eye"} <= joints or (middle and "nose" in joints)
    for place, name in enumerate(plain):
        if name == "hip" and middle:
            found[place] = "pelvis"
        elif name == "head" and face and "head_top" not in joints:
            found[place] = "head_top"
    if _means_human36m(plain):
        meant = {"thorax": "neck", "head": "head_top"}
        meant |= dict.fromkeys(("neck", "neckbase", "necknose", "nose"), "head")
        found = [meant.get(name, joint) for name, joint in zip(plain, found, strict=True)]
    places: dict[str, int] = {}
    for place, joint in enumerate(found):
        if joint is None:
            continue
        if joint in places:
            first, second = (shown_name(names[held]) for held in (places[joint], place))
            raise Pose3DError(f"{where}: {first} and {second} are both read as {joint}")
        places[joint] = place
    if not places:
        # A damaged name may be of any length and any characters.
        listing = ", ".join(shown_name(name) for name in names)
        listing = listing if len(listing) <= _LISTED else f"{listing[: _LISTED - 3]}..."
        raise Pose3DError(
            f"{where}: none of its body parts ({listing}) has a known name, expected names like left_hip"
        )
    held = tuple(places)
    layout = next((layout for layout in LAYOUTS.values() if layout.joints == held), None)
    if layout is None and held[:17] == LAYOUTS["coco_17"].joints and len(held) != 26:
        layout = LAYOUTS["coco_17"]
    skeleton = layout or make_skeleton("named", held)
    return JointColumns(skeleton, np.array(list(places.values())[: skeleton.num_joints]))


def _means_human36m(plain: Sequence[str]) -> bool:
    """Whether Thorax, Neck/Nose and Head are the points that Human3.6M's 17 joints call so."""
    held = set(plain)
    return (
        {"thorax", "head"} <= held
        and len(held & {"neck", "neckbase", "necknose", "nose"}) == 1
        and not any("eye" in name for name in held)
    )


def stated_skeleton(name: object, where: str) -> Skeleton:
    """The layout that a file names.

    Raises:
        Pose3DError: There is none of this name.
    """
    try:
        return get_skeleton(name)  # type: ignore[arg-type]
    except Pose3DError as error:
        raise Pose3DError(f"{where}: {error}") from None


def _spread(points: np.ndarray, skeleton: Skeleton) -> float:
    """How long a layout's bones are in sum, over the size of the person: low for the right layout.

    Args:
        points: `(n, J, 2)`; NaN where missing.
    """
    with np.errstate(invalid="ignore"):
        seen = (np.abs(points) <= LARGEST_PIXEL).all(axis=-1)
    points, seen = points[seen.any(axis=1)], seen[seen.any(axis=1)]
    if not len(points):
        return np.inf
    points = np.where(seen[..., None], points, np.nan)
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    size = np.maximum(np.linalg.norm(high - low, axis=-1), 1e-6)
    bones = np.array(skeleton.bones)
    lengths = np.linalg.norm(points[:, bones[:, 0]] - points[:, bones[:, 1]], axis=-1) / size[:, None]
    held = np.isfinite(lengths)
    if not held.any():
        return np.inf
    return float(np.nanmean(np.where(held, lengths, np.nan)))


# Bones of another order are longer in sum; a layout this near the best may be the one.
_CLEARLY = 1.15
# What a tool's files are known to hold is doubted where the bones of another order are so much shorter, and
# what would be the face spans so much of the person: in projected motion capture of 1,060 clips the face
# spans at most a fourth.
_BY_FAR, _FACE = 1.5, 0.28
_FACE_JOINTS = frozenset({"nose", "l_eye", "r_eye", "l_ear", "r_ear"})
# Share of joints found in what tells layouts apart.
_MOST_SEEN = 0.8
# Characters of names that a message lists.
_LISTED = 400


def fitting_layouts(points: np.ndarray | None, names: Sequence[str]) -> list[str]:
    """Those of some layouts of the same number of joints that the points may be in, the likeliest first.

    Args:
        points: `(n, J, 2 or 3)` detections, NaN where missing; None or empty: nothing tells.
        names: Layouts of J joints.
    """
    names = list(names)
    if points is None or len(names) < 2:
        return names
    sample = np.asarray(points, np.float64)[..., :2]
    sample = np.where(np.abs(sample) > 0, sample, np.nan)
    sample = sample[np.isfinite(sample).all(axis=-1).sum(axis=1) >= 4]
    if not len(sample):
        return names
    sample = sample[:: max(len(sample) // 200, 1)]
    spread = {name: _spread(sample, LAYOUTS[name]) for name in names}
    best = min(spread.values())
    near = sorted((name for name in names if spread[name] <= _CLEARLY * best), key=spread.__getitem__)
    whole = sample[np.isfinite(sample).all(axis=(1, 2))]
    # Limbs far too long for the others tell another order where the sum of all bones does not.
    sound = [name for name in near if len(whole) and not limb_warnings(whole, LAYOUTS[name])]
    return sound or near


def _doubted(points: np.ndarray | None, skeleton: Skeleton, where: str) -> tuple[str, ...]:
    """A warning where points without names look like another layout than the one that their number says."""
    same = [name for name, held in LAYOUTS.items() if held.num_joints == skeleton.num_joints]
    if points is None or len(same) < 2:
        return ()
    sample = np.asarray(points, np.float64)[..., :2]
    sample = np.where((sample != 0).any(axis=-1, keepdims=True), sample, np.nan)
    # People of whom most is seen: of half a person the shorter bones may be another order's.
    sample = sample[np.isfinite(sample).all(axis=-1).mean(axis=1) >= _MOST_SEEN]
    if not len(sample):
        return ()
    sample = sample[:: max(len(sample) // 200, 1)]
    near = fitting_layouts(sample, same)
    if skeleton.name in near:
        return ()
    face = [place for place, joint in enumerate(skeleton.joints) if joint in _FACE_JOINTS]
    if len(face) < len(_FACE_JOINTS):
        whole = sample[np.isfinite(sample).all(axis=(1, 2))]
        if not len(whole) or not limb_warnings(whole, skeleton):
            return ()
    else:
        spans = [np.nanmax(held, axis=1) - np.nanmin(held, axis=1) for held in (sample[:, face], sample)]
        of_face, of_person = (np.linalg.norm(span, axis=-1) for span in spans)
        by_far = _spread(sample, skeleton) >= _BY_FAR * _spread(sample, LAYOUTS[near[0]])
        if not by_far or np.median(of_face / np.maximum(of_person, 1e-6)) < _FACE:
            return ()
    return (
        f"{where}: its {skeleton.num_joints} joints have no names and are read as {skeleton.name}, but lie "
        f"as those of {' or '.join(near)} do: is it --layout {near[0]}?",
    )


def choose_layout(
    layout: str | None,
    joints: int,
    expected: Mapping[int, str | tuple[str, ...]],
    where: str,
    points: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> JointColumns:
    """The layout of detections.

    Args:
        layout: What the user says; it goes before everything else.
        joints: Points of a detection.
        expected: Number of joints -> layout, or several among which the content decides, that the format
            gives them.
        where: Names the file in messages.
        points: `(n, joints, 2 or 3)` detections.
        names: The points' names, where the file states them.

    Raises:
        Pose3DError: An unknown layout, one of another number of joints, or a number without a layout.
    """
    if names is not None and len(names) != joints:
        raise Pose3DError(f"{where} has {joints} joints, but names {len(names)}")
    if points is not None:
        # What is no pixel says nothing of layouts; it is told later, with its place.
        with np.errstate(invalid="ignore"):
            points = np.where(np.abs(points) <= LARGEST_PIXEL, points, np.nan)
    if layout is not None:
        skeleton = get_skeleton(layout)
        if skeleton.num_joints != joints and BODY_OF.get(joints) != skeleton.name:
            raise Pose3DError(f"{where} has {joints} joints, but --layout {layout} has {skeleton.num_joints}")
        columns = np.arange(skeleton.num_joints)
        return JointColumns(skeleton, columns, _contradiction(skeleton, names, where))
    if names is not None:
        return named_joints(names, where)
    named = expected.get(joints) or BODY_OF.get(joints)
    if named is not None:
        choices = (named,) if isinstance(named, str) else named
        fitting = fitting_layouts(points, choices)
        skeleton = get_skeleton(fitting[0] if len(fitting) == 1 else choices[0])
        doubts = _doubted(points, skeleton, where) if skeleton.num_joints == joints else ()
        return JointColumns(skeleton, np.arange(skeleton.num_joints), doubts)
    known = ", ".join(
        f"{count} ({'/'.join((held,) if isinstance(held, str) else held)})"
        for count, held in {**expected, **BODY_OF}.items()
    )
    same = [held.name for held in LAYOUTS.values() if held.num_joints == joints]
    fits = fitting_layouts(points, same)
    fitting = [held for held in same if held in fits]
    hint = ""
    if fitting:
        others = "; others do not fit these points" if len(fitting) < len(same) else ""
        hint = f"; layouts with {joints}: {', '.join(fitting)} (--layout){others}"
    raise Pose3DError(f"{where} has {joints} joints, expected {known}{hint}")


def _contradiction(skeleton: Skeleton, names: Sequence[str] | None, where: str) -> tuple[str, ...]:
    if names is None:
        return ()
    stated = named_joints(names, where)
    if stated.skeleton.joints == skeleton.joints:
        return ()
    return (
        f"--layout {skeleton.name} goes before the joints that the file names ({', '.join(names[:4])} ...)",
    )
