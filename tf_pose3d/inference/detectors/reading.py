"""The people in a video, by a detector."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_av, require_pillow
from tf_pose3d.inference.detectors.detector import Detector, Found
from tf_pose3d.inference.detectors.times import even_times, spread
from tf_pose3d.inference.keypoints import KeypointVideo, Person
from tf_pose3d.inference.people import link_detections
from tf_pose3d.progress import Progress
from tf_pose3d.skeleton import get_skeleton

__all__ = ["PeopleCollector", "detect_people", "is_video", "read_ahead"]

Item = TypeVar("Item")

# Frames that are decoded before they are looked at.
_AHEAD = 3
# A file that tells more frames than this share could be read is cut short.
_WHOLE = 0.98


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a video, by how it begins; its name counts for nothing."""
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            head = file.read(512)
    except OSError:
        return False
    starts = (
        b"\x1a\x45\xdf\xa3",  # Matroska, WebM
        b"\x00\x00\x01\xba",  # MPEG programme stream
        b"\x00\x00\x01\xb3",  # MPEG video
        b"\x00\x00\x00\x01",  # H.264 and H.265 without a container
        b"\x30\x26\xb2\x75",  # ASF, WMV
        b"FLV\x01",
        b"OggS",
        b"DKIF",  # IVF
        b"GIF8",
    )
    if head.startswith(starts):
        return True
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return True  # MP4, QuickTime
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return True
    # MPEG transport stream: packets of 188 bytes, with a stamp of four bytes before each in AVCHD.
    return any(
        len(head) > start + 188 and head[start] == head[start + size] == 0x47
        for start, size in ((0, 188), (4, 192))
    )


def read_ahead(items: Iterator[Item], depth: int = _AHEAD) -> Generator[Item, None, None]:
    """The items, of which another thread makes the next while this one is used.

    Args:
        items: Made in the other thread, one after the other.
        depth: So many at most are made before they are asked for.
    """
    ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((item, error), timeout=0.1)
                return

    def make() -> None:
        end: BaseException = StopIteration()
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
        except BaseException as error:  # Raised again where the items are used.
            end = error
        finally:
            if isinstance(items, contextlib.AbstractContextManager) or hasattr(items, "close"):
                items.close()  # type: ignore[attr-defined]
        put(None, end)

    worker = threading.Thread(target=make, name="decoding", daemon=True)
    worker.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        worker.join(timeout=5)


class PeopleCollector:
    """People of detections as they come, frame after frame.

    Attributes:
        count: Frames so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._linked: dict[str, list[tuple[int, Found]]] = {}
        self._loose: list[tuple[int, list[np.ndarray]]] = []

    def add(self, everyone: Sequence[np.ndarray | Found]) -> None:
        """Takes what a detector found in the next frame.

        Raises:
            Pose3DError: The detector gives ids for some people and none for others.
        """
        loose = []
        for found in everyone:
            if isinstance(found, Found) and found.id is not None:
                self._linked.setdefault(found.id, []).append((self.count, found))
            else:
                loose.append(found.keypoints if isinstance(found, Found) else np.asarray(found))
        if loose and self._linked:
            raise Pose3DError(
                "the detector gives ids for some people and none for others, expected all or none"
            )
        if loose:
            self._loose.append((self.count, loose))
        self.count += 1

    def people(self) -> tuple[Person, ...]:
        """Everyone, in the order of their first frames."""
        if self._loose:
            return link_detections(self._loose)
        people = []
        believed = {name: seen for name, seen in self._linked.items() if any(found.sure for _, found in seen)}
        for name, seen in (believed or self._linked).items():
            frames = np.array([frame for frame, _ in seen], np.int64)
            keypoints = np.stack([found.keypoints for _, found in seen]).astype(np.float32)
            own = [found.pose_3d for _, found in seen if found.pose_3d is not None]
            pose = np.stack(own).astype(np.float32) if len(own) == len(seen) else None
            people.append(Person(name, frames, keypoints, pose))
        return tuple(people)


class Frames(Protocol):
    """What gives a video's frames.

    Attributes:
        path: Its name, for messages.
        width, height: Size in pixels.
        fps: Frames per second as it tells, or None.
        num_frames: As it tells, else 0.
    """

    @property
    def path(self) -> str | Path: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def fps(self) -> float | None: ...

    @property
    def num_frames(self) -> int: ...

    def arrays(self, pixels: str = "rgb24") -> Iterator[tuple[float | None, np.ndarray]]:
        """Each frame's time in seconds, if any, and its image."""


def detect_people(
    path: str | Path | Frames, detector: Detector, fps: float | None = None, show_progress: bool = False
) -> tuple[KeypointVideo, bool]:
    """The people in a video.

    Frames that do not follow each other evenly are timed by their stamps: keypoints are then those at even
    times, between two frames on the way from one to the other.

    Args:
        path: The video, or what gives its frames.
        detector: What finds them, made for this video.
        fps: Frames per second, whatever the stamps say; None: as these say.
        show_progress: Show a progress bar, where the file tells how many frames there are.

    Returns:
        What was found, and whether Ctrl-C ended the search early; then the frames before are kept, as they
        are where the file is damaged or shows images of another size from a frame on, which is among the
        warnings.

    Raises:
        Pose3DError: The video cannot be read or has no frames; no frame rate, neither given nor in the file.
    """
    require_av()
    require_pillow()
    from tf_pose3d.render.video import VideoReader

    reader: Frames = VideoReader(path) if isinstance(path, (str, os.PathLike)) else path
    path = reader.path
    if fps is None and reader.fps is None:
        raise Pose3DError(f"{path} does not tell its frame rate; give it by --fps")
    nominal = fps or reader.fps or 0.0
    collector, stamps = PeopleCollector(), []
    warnings, interrupted = [], False
    frames = read_ahead(reader.arrays(getattr(detector, "pixels", "rgb24")))
    try:
        with contextlib.closing(frames), Progress(reader.num_frames, "detecting") as progress:
            for stamp, image in frames:
                height, width = image.shape[:2]
                if (width, height) != (reader.width, reader.height):
                    warnings.append(
                        f"{path}: frame {collector.count} is {width}x{height}, those before "
                        f"{reader.width}x{reader.height}: these {collector.count} are kept"
                    )
                    break
                time = collector.count / nominal
                if fps is None and stamp is not None:
                    time = stamp
                stamps.append(stamp)
                collector.add(detector(image, 1000 * time))
                if show_progress:
                    progress.update()
            else:
                if collector.count < _WHOLE * reader.num_frames:
                    warnings.append(
                        f"{path} tells {reader.num_frames} frames and ends after {collector.count}: is it "
                        "cut short? These are kept"
                    )
    except KeyboardInterrupt:
        if not collector.count:
            raise
        interrupted = True
    except Pose3DError as error:
        if not collector.count:
            raise
        warnings.append(f"{error}: the {collector.count} frames before are kept")
    people, count, decoded = collector.people(), collector.count, None
    notes: tuple[str, ...] = ()
    if fps is None:
        times = even_times(stamps, nominal)
        nominal = times.fps
        if times.places is not None:
            people = tuple(itertools.chain.from_iterable(spread(person, times) for person in people))
            decoded, count = times.nearest, len(times.places)
            notes = (times.note,)
    if getattr(detector, "crowded", False):
        warnings.append(f"{path}: more people at once than the detector follows; some are missing")
    video = KeypointVideo(
        str(path),
        "video",
        get_skeleton(detector.layout),
        people,
        count,
        width=reader.width,
        height=reader.height,
        fps=nominal,
        decoded=decoded,
        notes=notes,
        warnings=tuple(warnings),
    )
    return video, interrupted
