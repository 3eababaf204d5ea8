"""From a camera's frames to poses as they come."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from tf_pose3d.inference.detectors.detector import Detector, Found
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.inference.motion.one_euro import OneEuroFilter, parse_one_euro
from tf_pose3d.inference.stream import PoseStream
from tf_pose3d.skeleton import get_skeleton

__all__ = ["LiveFrame", "live_poses", "newest"]


class Camera(Protocol):
    """What gives frames as they are seen."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def fps(self) -> float: ...

    def arrays(self, pixels: str = "rgb24") -> Iterator[tuple[float | None, np.ndarray]]:
        """Times and images."""


@dataclasses.dataclass(frozen=True, eq=False)
class LiveFrame:
    """One frame and what is known of it.

    Attributes:
        number: Counted as they are lifted, from 0.
        image: `(H, W, 3 or 4)` uint8 RGB of the newest frame.
        keypoints: `(J, 3)` pixels and confidence of the person in the newest frame, in the detector's layout;
            None: nobody.
        pose: `(J, 3)` metres, root-centred, camera frame; None: nobody. Of the frame `number`, which lies
            behind the newest where the stream has a delay.
    """

    number: int
    image: np.ndarray
    keypoints: np.ndarray | None
    pose: np.ndarray | None


def newest(items: Iterator[tuple[float | None, np.ndarray]]) -> Iterator[tuple[float, np.ndarray]]:
    """The newest item each time one is asked for, with the seconds at which it came; others are left out.

    A camera does not wait: whoever looks at every frame falls behind.
    """
    changed = threading.Condition()
    slot: list[tuple[float, np.ndarray]] = []
    ended: list[BaseException | None] = []
    stopped = threading.Event()

    def take() -> None:
        error: BaseException | None = None
        try:
            for _, image in items:
                with changed:
                    slot[:] = [(time.monotonic(), image)]
                    changed.notify()
                if stopped.is_set():
                    return
        except BaseException as raised:  # Raised again where the items are used.
            error = raised
        with changed:
            ended.append(error)
            changed.notify()

    worker = threading.Thread(target=take, name="camera", daemon=True)
    worker.start()
    try:
        while True:
            with changed:
                while not slot and not ended:
                    # Waiting without an end cannot be interrupted on every system.
                    changed.wait(0.5)
                if not slot:
                    if ended[0] is not None:
                        raise ended[0]
                    return
                item = slot.pop()
            yield item
    finally:
        stopped.set()
        worker.join(timeout=2)


def live_poses(
    camera: Camera,
    detector: Detector,
    lifter: Lifter,
    fps: float | None = None,
    delay: int = 0,
    focal_length: float | None = None,
    smooth: str | None = None,
) -> Iterator[LiveFrame]:
    """Poses of the person who is largest when they come into view, until they leave; then of the next.

    Args:
        camera: Gives frames.
        detector: Finds people in them.
        lifter: Lifts them.
        fps: Frames per second; None: as the camera says.
        delay, focal_length: See `tf_pose3d.inference.stream.PoseStream`.
        smooth: Filter of the poses, see `tf_pose3d.inference.motion.one_euro`; None: none.

    Raises:
        Pose3DError: The camera is gone, or an unknown filter.
    """
    rate = fps or camera.fps
    skeleton = get_skeleton(detector.layout)
    stream = PoseStream(lifter, camera.width, camera.height, rate, skeleton, delay, focal_length)
    filtered = None if smooth is None else OneEuroFilter(rate, *parse_one_euro(smooth))
    chosen: str | None = None
    start: float | None = None
    frames = newest(camera.arrays(getattr(detector, "pixels", "rgb24")))
    with contextlib.closing(frames):  # type: ignore[type-var]
        for moment, image in frames:
            start = moment if start is None else start
            people = [
                found if isinstance(found, Found) else Found(np.asarray(found))
                for found in detector(image, 1000 * (moment - start))
            ]
            person = _choose(people, chosen)
            chosen = None if person is None else person.id
            keypoints = None if person is None else person.keypoints
            for number, pose in stream.push(keypoints):
                if filtered is not None and pose is None:
                    filtered.reset()
                elif filtered is not None and pose is not None:
                    pose = filtered(pose)
                yield LiveFrame(number, image[..., :3], keypoints, pose)


def _choose(people: list[Found], chosen: str | None) -> Found | None:
    """The person who was chosen before, else the largest."""
    seen = [person for person in people if np.isfinite(person.keypoints[:, 0]).any()]
    for person in seen:
        if chosen is not None and person.id == chosen:
            return person
    return max(seen, key=lambda person: (person.sure, _area(person)), default=None)


def _area(person: Found) -> float:
    points = person.keypoints[:, :2]
    return float(np.prod(np.nanmax(points, axis=0) - np.nanmin(points, axis=0)))
