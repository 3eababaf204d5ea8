"""Opening video files by PyAV, for those who decode them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = ["opened_video", "picture_stream"]


@contextlib.contextmanager
def opened_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container of a video file and its picture stream, closed at the end.

    Raises:
        Pose3DError: It holds no pictures, or nothing here decodes them.
        av.error.FFmpegError: The file is missing or damaged.
    """
    import av

    # A title that is no UTF-8 is no reason to refuse a video; from PyAV 19 on it is none by itself.
    settings: dict[str, Any] = (
        {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    )
    with av.open(str(path), **settings) as container:
        yield container, picture_stream(container, path)


def picture_stream(container: InputContainer, path: str | Path) -> VideoStream:
    """The stream whose pictures are decoded.

    Args:
        container: As `av.open` gives it.
        path: Named in the error.

    Raises:
        Pose3DError: There is no such stream, or nothing here decodes it.
    """
    if not container.streams.video:
        raise Pose3DError(f"{path} holds no video, expected a video file")
    stream = container.streams.video[0]
    # PyAV before 18 decodes through a null pointer there, which ends the process.
    if stream.codec_context is None:
        raise Pose3DError(f"{path} cannot be read as a video: FFmpeg has no decoder for its pictures")
    return stream
