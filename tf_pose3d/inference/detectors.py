"""2D keypoints from a video, by a detector that runs here."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_av, require_extra
from tf_pose3d.inference.formats.mediapipe import landmark_table
from tf_pose3d.inference.formats.scores import Score, check_confidences
from tf_pose3d.inference.keypoints import KeypointVideo, mark_missing
from tf_pose3d.inference.people import link_detections
from tf_pose3d.progress import Progress
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.render.video import VideoReader

__all__ = ["DETECTORS", "Detector", "MediaPipe", "detect_people"]

_PEOPLE = 4


class Detector(Protocol):
    """Finds people in the frames of one video, in order.

    Attributes:
        layout: Name of the joint layout that it gives.
    """

    layout: str

    def __call__(self, image: np.ndarray, milliseconds: int) -> list[np.ndarray]:
        """`(J, 3)` pixels and confidence of everyone in an `(H, W, 3)` uint8 RGB image."""


class MediaPipe:
    """MediaPipe's pose landmarker.

    Args:
        model: Its model file; None: the first `pose_landmarker_*.task` in `models/`.

    Raises:
        Pose3DError: MediaPipe is not installed, or its model file is absent.
    """

    layout = "mediapipe_33"

    def __init__(self, model: str | Path | None = None) -> None:
        require_extra("mediapipe", "MediaPipe", "video", "--detector mediapipe")
        if model is None:
            model = next(iter(sorted(Path("models").glob("pose_landmarker_*.task"))), None)
        if model is None or not Path(model).is_file():
            said = "no pose_landmarker_*.task in models/" if model is None else f"{model} does not exist"
            raise Pose3DError(
                f"--detector mediapipe: {said}; download pose_landmarker_full.task from MediaPipe's "
                "page on pose landmark detection and put it there, or give it by --detector_model"
            )
        import mediapipe
        from mediapipe.tasks import python as tasks

        vision = tasks.vision
        options = vision.PoseLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(model)),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=_PEOPLE,
        )
        try:
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise Pose3DError(f"{model} cannot be loaded as a pose landmarker: {reason}") from None
        self._image = mediapipe.Image
        self._format = mediapipe.ImageFormat.SRGB

    def __call__(self, image: np.ndarray, milliseconds: int) -> list[np.ndarray]:
        height, width = image.shape[:2]
        picture = self._image(image_format=self._format, data=np.ascontiguousarray(image))
        result = self._landmarker.detect_for_video(picture, milliseconds)
        people = [
            [{"x": mark.x, "y": mark.y, "visibility": mark.visibility} for mark in person]
            for person in result.pose_landmarks
        ]
        tables = [landmark_table(person, "MediaPipe") for person in people]
        for table in tables:
            table[:, :2] *= (width, height)
            table[:, 2] = check_confidences(table[:, 2], Score.LOGIT, "MediaPipe")
        return [mark_missing(table.astype(np.float32), "MediaPipe") for table in tables]


DETECTORS = {"mediapipe": MediaPipe}


def detect_people(
    path: str | Path, detector: Detector, fps: float | None = None, show_progress: bool = False
) -> tuple[KeypointVideo, bool]:
    """The people in a video.

    Args:
        path: The video.
        detector: What finds them.
        fps: Frames per second; None: as the file says.
        show_progress: Show a progress bar, where the file tells how many frames there are.

    Returns:
        What was found, and whether Ctrl-C ended the search early; then the frames before are kept.

    Raises:
        Pose3DError: The video cannot be read or has no frames; no frame rate, neither given nor in the file.
    """
    require_av()
    from tf_pose3d.render.video import VideoReader

    reader = VideoReader(path)
    fps = fps or reader.fps
    if fps is None:
        raise Pose3DError(f"{path} does not tell its frame rate; give it by --fps")
    detections, interrupted = [], False
    try:
        for number, image in enumerate(_images(reader, show_progress)):
            detections.append((number, detector(image, round(1000 * number / fps))))
    except KeyboardInterrupt:
        if not detections:
            raise
        interrupted = True
    video = KeypointVideo(
        str(path),
        "video",
        get_skeleton(detector.layout),
        link_detections(detections),
        len(detections),
        width=reader.width,
        height=reader.height,
        fps=fps,
    )
    return video, interrupted


def _images(reader: VideoReader, show_progress: bool) -> Iterator[np.ndarray]:
    size = (reader.width, reader.height)
    with Progress(reader.num_frames, "detecting") as progress:
        for image in reader.frames(itertools.count(), size):
            yield np.asarray(image.convert("RGB"))
            if show_progress and reader.num_frames:
                progress.update()
