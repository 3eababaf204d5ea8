"""Lift a stream of keypoints, frame by frame, with little delay."""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.clip_arguments import check_clip
from tf_pose3d.inference.formats import mediapipe, openpose
from tf_pose3d.inference.formats.assembly import keypoint_table, size_of
from tf_pose3d.inference.formats.layouts import BY_COUNT, JointColumns, choose_layout, stated_skeleton
from tf_pose3d.inference.formats.scores import Score, check_confidences
from tf_pose3d.inference.formats.values import LARGEST_PIXEL
from tf_pose3d.inference.keypoints import mark_missing
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.inference.motion.one_euro import OneEuroFilter, parse_one_euro
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.json_text import damaged_json
from tf_pose3d.skeleton import Skeleton, get_skeleton
from tf_pose3d.types import Parsed

__all__ = ["PoseStream", "lift_lines", "pose_line"]


class PoseStream:
    """Poses of one person's keypoints as they come.

    A joint that is missing holds its last place for `lifter.max_gap` frames. A windowed model sees the frames
    before, and as many after as `delay` says; past those it takes the newest for all that follow.

    Args:
        lifter: The model.
        width, height: Image size in pixels.
        fps: Frames per second.
        layout: Joint layout of what comes; None: the model's.
        delay: Frames that a pose waits for what follows; 0 is causal.
        focal_length: Pixels, for the families that read it.

    Raises:
        Pose3DError: An unknown layout, one that lacks joints, or a size, rate or delay beyond reason.
    """

    def __init__(
        self,
        lifter: Lifter,
        width: int,
        height: int,
        fps: float = 50.0,
        layout: str | Skeleton | None = None,
        delay: int = 0,
        focal_length: float | None = None,
    ) -> None:
        check_clip(width, height, fps, "the stream")
        if delay < 0:
            raise Pose3DError(f"a delay of {delay} frames, expected 0 or more")
        self._lifter = lifter
        self._camera = default_camera(width, height, focal_length)
        self._fps = fps
        self._delay = delay if lifter.spec.length > 1 else 0
        self._source = lifter.input_skeleton if layout is None else get_skeleton(layout)
        half = (lifter.spec.length - 1) * lifter.spec.stride // 2
        # Frames before the one that is lifted, and some more to lay out sampled frames from it.
        sampled = max(lifter.spec.mask_strides or (lifter.spec.stride,))
        before = math.ceil((half + sampled) * fps / lifter.spec.frame_rate) if half else 0
        self._buffer: collections.deque[np.ndarray | None] = collections.deque(
            maxlen=before + 1 + self._delay
        )
        self._count = 0
        self._known = np.full((self._source.num_joints, 3), np.nan, np.float32)
        self._age = np.zeros(self._source.num_joints, np.int64)

    @property
    def delay(self) -> int:
        """Frames that a pose waits; 0 for families that lift single frames."""
        return self._delay

    def push(self, keypoints: np.ndarray | None) -> Iterator[tuple[int, np.ndarray | None]]:
        """Takes the next frame; gives (frame number, `(J, 3)` pose in metres) of a frame that is ready.

        Args:
            keypoints: `(J, 3)` pixels and confidence, NaN where missing; None: nobody was found.

        Returns:
            At most one pose, root-centred, camera frame; None where there is no person or joints are lacking.
        """
        self._buffer.append(self._completed(keypoints))
        self._count += 1
        if self._count > self._delay:
            yield self._count - 1 - self._delay, self._pose(self._delay)

    def finish(self) -> Iterator[tuple[int, np.ndarray | None]]:
        """The poses of the last `delay` frames, for which nothing follows."""
        for left in range(min(self._delay, self._count) - 1, -1, -1):
            yield self._count - 1 - left, self._pose(left)

    def _completed(self, keypoints: np.ndarray | None) -> np.ndarray | None:
        """The frame in the model's joints, missing ones held; None where they cannot be had."""
        self._age += 1
        if keypoints is not None:
            found = np.nan_to_num(keypoints[:, 2]) >= max(self._lifter.min_confidence, 1e-6)
            self._known[found] = keypoints[found]
            self._age[found] = 0
        return self._lifter.complete_frame(self._known, self._age, self._source)

    def _pose(self, back: int) -> np.ndarray | None:
        """The pose of the frame so many before the newest, from the frames round it that have a person."""
        frames = list(self._buffer)
        target = len(frames) - 1 - back
        if frames[target] is None:
            return None
        first = target
        while first > 0 and frames[first - 1] is not None:
            first -= 1
        last = target
        while last + 1 < len(frames) and frames[last + 1] is not None:
            last += 1
        clip = np.stack([frame for frame in frames[first : last + 1] if frame is not None])
        return self._lifter.lift_frame(clip, target - first, self._camera, self._fps)


def lift_lines(
    lines: Iterable[str | bytes],
    lifter: Lifter,
    width: int | None = None,
    height: int | None = None,
    fps: float = 50.0,
    layout: str | None = None,
    delay: int = 0,
    focal_length: float | None = None,
    smooth: str | None = None,
) -> Iterator[str]:
    """JSON lines of poses from JSON lines of keypoints, one frame a line.

    A line in is an array of joints `[x, y, confidence]`, an object with it under `keypoints`, null for no
    person, or a frame of OpenPose or MediaPipe, of which the largest person counts. The first object may say
    `width`, `height` and `layout`. A line out is `{"frame": number, "pose_3d": [[x, y, z], ...]}`, metres,
    root-centred, camera frame, or null for no pose.

    Args:
        lines: As they come, text or its bytes.
        lifter, fps, delay, focal_length: See `PoseStream`.
        width, height, layout: As there; None: as the first line says.
        smooth: Filter of the poses, see `tf_pose3d.inference.motion.one_euro`; None: none.

    Raises:
        Pose3DError: A line that cannot be read, by its number; no image size or layout; a size or number of
            joints that changes.
    """
    stream = None
    reader = _LineReader(width, height, layout)
    smoother = None if smooth is None else OneEuroFilter(fps, *parse_one_euro(smooth))

    def line_of(ready: tuple[int, np.ndarray | None]) -> str:
        frame, pose = ready
        if smoother is not None and pose is None:
            smoother.reset()
        elif smoother is not None and pose is not None:
            pose = smoother(pose)
        return pose_line((frame, pose))

    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        keypoints = reader.read(line, f"line {number}")
        if stream is None and reader.skeleton is not None:
            size = reader.require_size(f"line {number}")
            stream = PoseStream(lifter, *size, fps, reader.skeleton, delay, focal_length)
            for _ in range(reader.empty):
                yield from map(line_of, stream.push(None))
        if stream is not None:
            yield from map(line_of, stream.push(keypoints))
        else:
            reader.empty += 1
    if stream is not None:
        yield from map(line_of, stream.finish())
    else:
        yield from (pose_line((number, None)) for number in range(reader.empty))


def pose_line(ready: tuple[int, np.ndarray | None]) -> str:
    """A line of `lift_lines`: (frame number, `(J, 3)` metres or None)."""
    frame, pose = ready
    values = None if pose is None else pose.astype(np.float64).round(5).tolist()
    return json.dumps({"frame": frame, "pose_3d": values}, separators=(",", ":"))


class _LineReader:
    """Keypoints of lines, and what the lines say about size and layout.

    Attributes:
        width, height: Image size, None before it is known.
        skeleton: Layout, None before the first person.
        empty: Frames before the first person.
    """

    def __init__(self, width: int | None, height: int | None, layout: str | None) -> None:
        self.width, self.height = width, height
        self.skeleton: Skeleton | None = None
        self.empty = 0
        self._layout = layout
        self._columns: JointColumns | None = None
        self._joints = 0

    def require_size(self, where: str) -> tuple[int, int]:
        if not self.width or not self.height:
            raise Pose3DError(f"{where}: no image size; give --width and --height, or width and height in it")
        return self.width, self.height

    def read(self, line: str | bytes, where: str) -> np.ndarray | None:
        """`(J, 3)` keypoints of a line; None without a person."""
        if isinstance(line, bytes):
            try:
                line = line.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise Pose3DError(
                    f"{where} is no UTF-8 text: byte {error.start} belongs to nothing"
                ) from None
        try:
            content = json.loads(line)
        except json.JSONDecodeError as error:
            cut = "is cut off" if not line[error.pos :].strip() else "is no JSON"
            raise Pose3DError(f"{where} {cut} at character {error.pos}: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise damaged_json(where, error, line) from None
        if isinstance(content, dict):
            self._take_facts(content, where)
        if isinstance(content, dict) and isinstance(content.get("people"), list):
            tables = [points for _, points in openpose.people_of_frame(content, where)]
            people = self._people(tables, openpose.LAYOUTS, Score.PEAK, where)
        elif isinstance(content, dict) and any(key in content for key in mediapipe.KEYS):
            width, height = self.require_size(where)
            tables = mediapipe.people_of_frame(content, where)
            for table in tables:
                table[:, :2] *= (width, height)
            people = self._people(tables, {33: "mediapipe_33"}, Score.LOGIT, where)
        else:
            people = self._plain(content, where)
        seen = [person for person in people if np.isfinite(person[:, 0]).any()]
        return max(seen, key=_box) if seen else None

    def _people(
        self, tables: list[np.ndarray], expected: Mapping[int, Any], score: Score, where: str
    ) -> list[np.ndarray]:
        """`(J, 3)` float32 of detections in the layout of the lines before."""
        people = []
        for table in tables:
            if self._columns is None:
                self._columns = choose_layout(self._layout, len(table), expected, where, table[None])
                self._joints, self.skeleton = len(table), self._columns.skeleton
            if len(table) != self._joints:
                raise Pose3DError(
                    f"{where}: {len(table)} keypoints, expected {self._joints} with x, y and confidence, as "
                    "in those before"
                )
            points = table[self._columns.columns]
            if (np.abs(np.nan_to_num(points[:, :2])) > LARGEST_PIXEL).any():
                raise Pose3DError(
                    f"{where}: a coordinate of {np.nanmax(np.abs(points[:, :2])):g}, expected pixels"
                )
            points[:, 2] = check_confidences(points[:, 2], score, where)
            people.append(mark_missing(points.astype(np.float32), where))
        return people

    def _take_facts(self, content: dict[str, Any], where: str) -> None:
        for key, said in zip(("width", "height"), size_of(content, ("width", "height"), where), strict=True):
            held = getattr(self, key)
            if said is None:
                continue
            if held is not None and said != held:
                raise Pose3DError(f"{where}: {key} {said}, expected {held} as before: images of mixed sizes")
            setattr(self, key, said)
        if self._layout is None and content.get("layout") is not None:
            self._layout = stated_skeleton(content["layout"], where).name

    def _plain(self, content: Parsed, where: str) -> list[np.ndarray]:
        if isinstance(content, dict):
            key = next((key for key in ("keypoints", "keypoints_2d") if key in content), None)
            if key is None:
                raise Pose3DError(f"{where}: an object without keypoints, people or pose_landmarks")
            content = content[key]
        if content is None or content == []:
            return []
        if not isinstance(content, list):
            raise Pose3DError(f"{where}: expected an array of joints [x, y, confidence]")
        return self._people([keypoint_table(content, where)], BY_COUNT, Score.PEAK, where)


def _box(person: np.ndarray) -> float:
    return float(np.prod(np.nanmax(person[:, :2], axis=0) - np.nanmin(person[:, :2], axis=0)))
