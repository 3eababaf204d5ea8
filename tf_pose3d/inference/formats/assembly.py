"""From a reader's detections to the people of a video: the same way for all formats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.frames import FrameRows, lay_out_frames
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.scores import Score, confidences, looks_like_regions
from tf_pose3d.inference.formats.source import ReadOptions
from tf_pose3d.inference.formats.values import LARGEST_PIXEL, number_table, positive_number, whole_number
from tf_pose3d.inference.keypoints import KeypointVideo, Person, mark_missing
from tf_pose3d.inference.people import group_by_id, link_detections
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed

__all__ = ["Detections", "keypoint_table", "make_video", "make_video_of_tracks", "size_of", "track_name"]


@dataclasses.dataclass
class Detections:
    """What a reader has found so far; all lists have one entry per detection.

    Attributes:
        frames: The frame's number in the file, or its image's id where the reader numbers them at the end.
        people: The tool's id of the person, None where it gives none.
        points: `(J, 3)` float64: x, y and the tool's own score, NaN where missing.
        places: Where in the file, for messages.
    """

    frames: list[Any] = dataclasses.field(default_factory=list)
    people: list[str | None] = dataclasses.field(default_factory=list)
    points: list[np.ndarray] = dataclasses.field(default_factory=list)
    places: list[str] = dataclasses.field(default_factory=list)

    def add(self, frame: Parsed, person: str | None, points: np.ndarray, place: str) -> None:
        """Takes one more; all must have the same number of joints.

        Raises:
            Pose3DError: This one has another.
        """
        if self.points and len(points) != len(self.points[0]):
            raise Pose3DError(
                f"{place}: {len(points)} keypoints, expected {len(self.points[0])} with x, y and confidence, "
                "as in those before"
            )
        self.frames.append(frame)
        self.people.append(person)
        self.points.append(points)
        self.places.append(place)


def keypoint_table(values: Parsed, where: str, scores: Parsed = None) -> np.ndarray:
    """`(J, 3)` float64 of one detection.

    Args:
        values: Numbers x, y and score one after another, or a list of them per joint; per joint x and y alone
            where `scores` has them or the tool writes none (then 1).
        where: Names file and detection in messages.
        scores: One per joint.

    Raises:
        Pose3DError: Anything else.
    """
    table = number_table(values, where)
    if table.ndim == 1:
        width = 2 if scores is not None and len(table) == 2 * _length(scores) else 3
        if len(table) % width:
            raise Pose3DError(
                f"{where}: {len(table) / width:g} keypoints, expected x, y and confidence for each"
            )
        table = table.reshape(-1, width)
    if table.shape[1] < 2 or (scores is None and table.shape[1] > 3):
        raise Pose3DError(f"{where}: {table.shape[1]} numbers for each joint, expected x, y and confidence")
    if scores is not None:
        given = number_table(scores, where)
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.shape != table.shape[:1]:
            raise Pose3DError(f"{where}: {len(table)} keypoints with {given.size} scores")
        if table.shape[1] > 2 and not np.allclose(table[:, 2], given, equal_nan=True):
            raise Pose3DError(
                f"{where}: {table.shape[1]} numbers for each joint beside its score: these are points in "
                "space, as a lifter writes them; expected x and y in pixels"
            )
        return np.concatenate([table[:, :2], given[:, None]], axis=1)
    if table.shape[1] == 2:
        table = np.concatenate([table, np.ones((len(table), 1))], axis=1)
    return table


def _length(values: Parsed) -> int:
    return len(values) if isinstance(values, list) else -1


def track_name(track: Parsed) -> str | None:
    """A tool's id of a person as text; AlphaPose wraps it in lists. None where there is none."""
    while isinstance(track, list):
        track = track[0] if track else None
    if track is None:
        return None
    if isinstance(track, bool) or not isinstance(track, (int, float)):
        return str(track)
    if isinstance(track, float) and track.is_integer() and abs(track) < 1e18:
        track = int(track)
    return str(track)


def _scored(points: np.ndarray, score: Score, places: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """`(N, J, 3)` float32 with confidences, NaN where missing, and notes."""
    notes: tuple[str, ...] = ()
    if score is Score.PEAK and looks_like_regions(points[..., 2]):
        score = Score.REGION
        notes = (
            "its scores reach above 1 while most are low: taken as Detectron2's, which are no probabilities",
        )
    confidence, wrong = confidences(points[..., 2], score)
    if wrong.any():
        detection, joint = np.argwhere(wrong)[0]
        raise Pose3DError(
            f"{places[detection]}: a confidence of {points[detection, joint, 2]:g}, expected 0 to 1 as a "
            f"joint's "
            f"third number (joint {joint})"
        )
    far = np.isfinite(points[..., :2]) & (np.abs(points[..., :2]) > LARGEST_PIXEL)
    if far.any():
        detection, joint, axis = np.argwhere(far)[0]
        raise Pose3DError(
            f"{places[detection]}: {'xy'[axis]} of joint {joint} is {points[detection, joint, axis]:g}, "
            "expected pixels"
        )
    found = np.concatenate([points[..., :2].astype(np.float32), confidence[..., None]], axis=-1)
    return mark_missing(found, places[0] if places else "keypoints"), notes


def _people(
    rows: Sequence[int], ids: Sequence[str | None], points: np.ndarray
) -> tuple[tuple[Person, ...], tuple[str, ...]]:
    """People by the tool's ids where these are tracks, else by linking; and warnings."""
    held = [name for name in ids if name is not None]
    # Trackers write -1 for those whom they do not follow.
    if len(held) == len(ids) and ids and set(held) != {"-1"}:
        repeated = _repeated(rows, held)
        if repeated is None:
            return group_by_id(zip(rows, held, points, strict=True)), ()
        frame, name = repeated
        if len(set(held)) > 1:
            warnings: tuple[str, ...] = (
                f"person {name} is twice in frame {frame}: its ids are no tracks, people are linked from "
                "frame to frame instead",
            )
        else:
            warnings = ()
    else:
        some = len(held) > 0 and set(held) != {"-1"}
        warnings = (
            (
                f"{len(ids) - len(held)} of {len(ids)} detections have no id of a person: people are linked "
                "from frame to frame instead",
            )
            if some
            else ()
        )
    by_frame: dict[int, list[np.ndarray]] = {}
    for row, detection in zip(rows, points, strict=True):
        by_frame.setdefault(row, []).append(detection)
    return link_detections(sorted(by_frame.items(), key=lambda item: item[0])), warnings


def _repeated(rows: Sequence[int], ids: Sequence[str]) -> tuple[int, str] | None:
    seen: set[tuple[int, str]] = set()
    for key in zip(rows, ids, strict=True):
        if key in seen:
            return key
        seen.add(key)
    return None


# Coordinates that no person's pixels are: fractions of the image, normalised ones, or metres.
_SMALLEST_PERSON = 1.5


def _in_pixels(
    points: np.ndarray, width: int | None, height: int | None, where: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """`(N, J, 3)` detections in pixels, where a file has fractions of the image; and what was supposed.

    Raises:
        Pose3DError: Fractions without the image's size, or coordinates around 0, which have no pixels.
    """
    known = points[..., :2][np.isfinite(points[..., :2]).all(axis=-1) & (points[..., :2] != 0).any(axis=-1)]
    if not known.size or np.abs(known).max() > _SMALLEST_PERSON:
        return points, ()
    # A joint or two may lie beyond the image's edge; around its middle, as many lie on either side.
    if known.min() < -0.5 or (known < 0).mean() > 0.1:
        raise Pose3DError(
            f"{where}: coordinates from {known.min():.3g} to {known.max():.3g} are no pixels: normalised "
            "ones (OpenPose's --keypoint_scale 4), or points in space? Give pixels"
        )
    if not width or not height:
        raise Pose3DError(
            f"{where}: all coordinates are fractions of the image (up to {known.max():.3g}); give its size "
            "by --width and --height"
        )
    points = points.copy()
    points[..., :2] *= (width, height)
    return points, (f"all coordinates are fractions: taken as such of an image of {width} x {height}",)


def make_video(
    source: object,
    name: str,
    found: Detections,
    options: ReadOptions,
    expected: Mapping[int, str | tuple[str, ...]],
    *,
    frames: FrameRows | None = None,
    listed: Iterable[int] = (),
    are_ids: bool = False,
    from_one: bool = False,
    names: Sequence[str] | None = None,
    score: Score = Score.PEAK,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    where: str | None = None,
) -> KeypointVideo:
    """The video of some detections.

    Args:
        source: The file, for messages.
        name: Of the format.
        found: The detections; `frames` are numbers.
        options: What the user says.
        expected: See `choose_layout`; the first layout stands for a file without anyone.
        frames: Rows of the frames' numbers; None: `lay_out_frames` of `found.frames` and `listed`.
        listed: Numbers of frames that the file has though nobody may be in them.
        are_ids, from_one: See `lay_out_frames`.
        names: The points' names, where the file states them.
        score: What the scores are.
        width, height, fps: As the file says.
        notes, warnings: What the reader has to say.
        where: Names the detections in messages about their joints; None: the first one's place.

    Raises:
        Pose3DError: See `choose_layout`, `lay_out_frames` and `confidences`.
    """
    if frames is None:
        frames = lay_out_frames([*found.frames, *listed], str(source), are_ids, from_one)
    facts: dict[str, Any] = {
        "width": width,
        "height": height,
        "fps": fps,
        "frame_numbers": frames.numbers,
    }
    if not found.points:
        empty = next(iter(expected.values()), "coco_17")
        layout = get_skeleton(options.layout or (empty if isinstance(empty, str) else empty[0]))
        return KeypointVideo(
            str(source), name, layout, (), frames.count, warnings=(*warnings, *frames.warnings), **facts
        )
    points, taken = _in_pixels(
        np.stack(found.points),
        width or options.width or options.video_width,
        height or options.height or options.video_height,
        where or found.places[0],
    )
    chosen = choose_layout(options.layout, points.shape[1], expected, where or found.places[0], points, names)
    scored, scores = _scored(points[:, chosen.columns], score, found.places)
    rows = [frames.rows[number] for number in found.frames]
    people, doubts = _people(rows, found.people, scored)
    return KeypointVideo(
        str(source),
        name,
        chosen.skeleton,
        people,
        frames.count,
        notes=(*notes, *frames.notes, *scores),
        warnings=(*warnings, *taken, *chosen.warnings, *frames.warnings, *doubts),
        **facts,
    )


def make_video_of_tracks(
    source: object,
    name: str,
    tracks: Mapping[str, np.ndarray],
    numbers: Sequence[int] | None,
    options: ReadOptions,
    expected: Mapping[int, str | tuple[str, ...]],
    *,
    linked: bool = False,
    **facts: Any,
) -> KeypointVideo:
    """The video of arrays that hold every frame.

    Args:
        source, name, options, expected: See `make_video`.
        tracks: Id -> `(F, J, 3)` x, y and score, NaN where missing. May differ in F.
        numbers: `(F,)` of the frames; None: from 0 on.
        linked: The tracks are no people, only places in a list: link.
        **facts: See `make_video`.
    """
    found = Detections()
    longest = max((len(points) for points in tracks.values()), default=0)
    numbers = list(range(longest)) if numbers is None else [int(number) for number in numbers]
    for person, points in tracks.items():
        seen = np.isfinite(points[..., :2]).all(axis=-1) & ((points[..., 0] != 0) | (points[..., 1] != 0))
        for row in np.flatnonzero(seen.any(axis=1)):
            found.add(
                numbers[row], None if linked else person, points[row], f"{source}, frame {numbers[row]}"
            )
    if not found.points and tracks:
        # Nobody anywhere; the number of joints still has to be one of a layout.
        points = next(iter(tracks.values()))
        choose_layout(options.layout, points.shape[1], expected, str(source), None, facts.get("names"))
    return make_video(source, name, found, options, expected, listed=numbers, where=str(source), **facts)


def size_of(facts: Mapping[str, Any], keys: tuple[str, str], where: str) -> tuple[int | None, int | None]:
    """Width and height that a file states under two keys, None where it does not.

    Raises:
        Pose3DError: They are no whole numbers above 0.
    """
    width, height = (
        None if facts.get(key) is None else whole_number(facts[key], f"{where}: {key}", 1, 1_000_000)
        for key in keys
    )
    return width, height


def rate_of(facts: Mapping[str, Any], where: str) -> float | None:
    """Frames per second that a file states under `fps`, None where it does not."""
    return None if facts.get("fps") is None else positive_number(facts["fps"], f"{where}: fps", 10_000)
