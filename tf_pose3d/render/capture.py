"""Frames of a webcam, by PyAV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.render.video import frame_pixels
from tf_pose3d.video_file import picture_stream

__all__ = ["Webcam", "device_of"]

# Frames per second where the camera does not tell.
_FPS = 30.0


def device_of(number: int) -> tuple[str, str]:
    """What FFmpeg calls a webcam on this system, and the kind of device.

    Raises:
        Pose3DError: There is no such webcam, as far as the system tells.
    """
    if sys.platform == "darwin":
        return str(number), "avfoundation"
    if sys.platform == "win32":
        names = _windows_cameras()
        if number >= len(names):
            raise _missing(number, names)
        return f"video={names[number]}", "dshow"
    path = Path(f"/dev/video{number}")
    if not path.exists():
        raise _missing(number, sorted(str(other) for other in Path("/dev").glob("video[0-9]*")))
    return str(path), "v4l2"


def _missing(number: int, there: list[str]) -> Pose3DError:
    return Pose3DError(f"there is no webcam {number}; this machine has {', '.join(there) or 'none'}")


def _windows_cameras() -> list[str]:
    try:
        from av.device import enumerate_input_devices
    except ImportError:
        raise Pose3DError('webcams on Windows need a newer PyAV: pip install "av>=15"') from None
    return [found.name for found in enumerate_input_devices("dshow") if "video" in found.media_types]


class Webcam:
    """A webcam whose frames come as they are seen, until nobody asks for more.

    Args:
        number: Which, from 0.
        size: Width and height to ask it for; None: its own.

    Attributes:
        path: Its name, for messages.
        width, height: Size in pixels.
        fps: Frames per second as it tells, else 30.
        num_frames: 0: nobody knows.

    Raises:
        Pose3DError: There is none, or it gives no frames.
    """

    num_frames = 0

    def __init__(self, number: int, size: tuple[int, int] | None = None) -> None:
        device, kind = device_of(number)
        self._open(f"webcam {number}", device, kind, size)

    @classmethod
    def from_device(cls, device: str, kind: str) -> Webcam:
        """Any of FFmpeg's capture devices, e.g. `("testsrc=rate=30", "lavfi")`."""
        camera = cls.__new__(cls)
        camera._open(device, device, kind, None)
        return camera

    def _open(self, name: str, device: str, kind: str, size: tuple[int, int] | None) -> None:
        self.path = name
        options = {} if size is None else {"video_size": f"{size[0]}x{size[1]}"}
        try:
            self._container = av.open(device, format=kind, options=options)
            stream = picture_stream(self._container, name)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Pose3DError(f"{name} cannot be opened: {reason}; does another program use it?") from None
        self.width, self.height = stream.width, stream.height
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate else _FPS

    def arrays(self, pixels: str = "rgb24") -> Iterator[tuple[float | None, np.ndarray]]:
        """Each frame's time in seconds and its image; see `tf_pose3d.render.video.VideoReader.arrays`.

        Raises:
            Pose3DError: The camera is gone.
        """
        try:
            for frame in self._container.decode(video=0):
                yield frame.time, frame_pixels(frame, pixels)
        except (av.error.FFmpegError, OSError) as error:
            raise Pose3DError(f"{self.path} gives no more frames: {error.strerror or error}") from None

    def close(self) -> None:
        """Lets the camera go."""
        self._container.close()
