"""`tf_pose3d.read_keypoints`: a video or a detector's file, with what the user says about it."""

from __future__ import annotations

import dataclasses
import os

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference import formats
from tf_pose3d.inference.detectors import Detector, detect_people, is_video, make_detector
from tf_pose3d.inference.keypoints import KeypointVideo

__all__ = ["read_keypoints", "with_facts"]


def read_keypoints(
    path: str | os.PathLike[str],
    *,
    layout: str | None = None,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    recording: str | None = None,
    input_format: str | None = None,
    detector: str | Detector | None = None,
    detector_model: str | os.PathLike[str] | None = None,
    show_progress: bool = False,
) -> KeypointVideo:
    """The people in a video, or in a detector's file or folder of 2D keypoints, as `inference.py` reads it.

        video = tf_pose3d.read_keypoints("my.mp4")
        video = tf_pose3d.read_keypoints("keypoints.json", width=1920, height=1080, fps=30)
        person = tf_pose3d.load("models/x.h5").lift(video)

    Args:
        path: The video or file, or OpenPose's folder.
        layout: Name of the joint layout, where the file does not tell.
        width, height: Image size in pixels, where the file does not tell.
        fps: Frames per second; None: the file's.
        recording: Which video of a file with several.
        input_format: A name of `tf_pose3d.inference.formats.FORMATS`; None: by content.
        detector: What finds people in a video: a name as `--detector` takes it, or a
            `tf_pose3d.inference.detectors.Detector` made for this video; None: blazepose.
        detector_model: The model of a detector that is named.
        show_progress: Show a progress bar while people are looked for in a video.

    Raises:
        Pose3DError: The file cannot be read, is in no known format, or contradicts what is said about it; the
            detector's files are not there (`tf-pose3d-detector` gets blazepose's).
    """
    if detector is not None or is_video(path):
        made = (
            make_detector(detector, detector_model)
            if detector is None or isinstance(detector, str)
            else detector
        )
        video, _ = detect_people(os.fspath(path), made, fps, show_progress)
        return with_facts(video, width, height, fps)
    options = formats.ReadOptions(layout, width, height, recording)
    video = formats.read_keypoints(os.fspath(path), input_format, options)
    return with_facts(video, width, height, fps)


def with_facts(
    video: KeypointVideo, width: int | None = None, height: int | None = None, fps: float | None = None
) -> KeypointVideo:
    """The video with what the user says about it.

    Args:
        video: As read.
        width, height: Image size in pixels; None: the file's.
        fps: Frames per second, which overrides the file's; None: the file's.

    Raises:
        Pose3DError: The file has another image size.
    """
    for name, given in (("width", width), ("height", height)):
        held = getattr(video, name)
        if given is not None and held is not None and given != held:
            raise Pose3DError(f"{name} {given}: {video.source} says {held}")
    return dataclasses.replace(
        video,
        width=video.width if width is None else width,
        height=video.height if height is None else height,
        fps=video.fps if fps is None else fps,
    )
