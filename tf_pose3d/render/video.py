"""Read and write video files, by PyAV."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tf_pose3d.errors import Pose3DError
from tf_pose3d.video_file import opened_video

__all__ = ["VideoReader", "frame_pixels", "write_mp4"]

_BT709 = 1
# Twice as fast as the encoder's default; line drawings look the same.
_PRESET = "veryfast"
_ASPECT_TOLERANCE = 0.02


class VideoReader:
    """The frames of a video file, by number.

    Frames are counted as they are decoded, from 0, whatever their time stamps are.

    Args:
        path: Any file that FFmpeg reads.

    Attributes:
        path: As given.
        width, height: Size in pixels as shown, after the rotation that a telephone notes down.
        fps: Frames per second, None where the file does not tell.
        num_frames: Frames as the file tells, 0 where it does not.

    Raises:
        Pose3DError: The file is missing, damaged, or holds no video.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        first = next(self._decode(), None)
        if first is None:
            raise Pose3DError(f"{path} is a video without frames")
        self.width, self.height = self._oriented(first).size
        self.fps, self.num_frames = self._rate, self._told
        self._numbers: np.ndarray | None = None

    @classmethod
    def of(cls, video: str | Path | VideoReader) -> VideoReader:
        """The reader of a file, or the one that is given."""
        return video if isinstance(video, VideoReader) else cls(video)

    def renumbered(self, numbers: np.ndarray) -> VideoReader:
        """The same video with other numbers, for one whose frames do not follow each other evenly.

        Args:
            numbers: `(n,)` not decreasing: which frame, as they are decoded, each of the new ones is.
        """
        other = copy.copy(self)
        other._numbers = numbers
        return other

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def check_shape(self, image_size: tuple[int, int]) -> None:
        """Checks that the video shows the image that 2D poses lie in.

        Args:
            image_size: Width and height of that image, pixels; the video may be larger or smaller.

        Raises:
            Pose3DError: Its shape is another.
        """
        width, height = image_size
        if abs(self.width * height / (self.height * width) - 1) > _ASPECT_TOLERANCE:
            raise Pose3DError(
                f"{self.path} is {self.width}x{self.height}, but the 2D poses lie in an image of "
                f"{width}x{height}; give the recording's own video"
            )

    def frames(self, numbers: Iterable[int], size: tuple[int, int]) -> Iterator[Image.Image]:
        """Frames as RGB images; ends early where the video does.

        Args:
            numbers: Which, in increasing order.
            size: Width and height to scale them to.

        Raises:
            Pose3DError: The file is damaged.
        """
        table = self._numbers
        if table is not None:
            numbers = (
                int(table[number]) for number in itertools.takewhile(lambda n: n < len(table), numbers)
            )
        wanted = iter(numbers)
        number = next(wanted, None)
        if number is None:
            return
        for index, frame in enumerate(self._decode()):
            if index == number:
                image = self._oriented(frame, size)
                while number == index:
                    yield image
                    number = next(wanted, None)
                # What follows the last may be damaged.
                if number is None:
                    return

    def arrays(self, pixels: str = "rgb24") -> Iterator[tuple[float | None, np.ndarray]]:
        """Each frame's time in seconds, None where the file has none, and its image as shown.

        Args:
            pixels: `"rgb24"`: `(H, W, 3)` uint8; `"rgba"`: `(H, W, 4)`.

        Raises:
            Pose3DError: The file is damaged; the frames before were given.
        """
        for frame in self._decode():
            with self._converting():
                image = frame_pixels(frame, pixels)
            turn = round(frame.rotation / 90) % 4
            yield frame.time, np.ascontiguousarray(np.rot90(image, turn)) if turn else image

    def _decode(self) -> Iterator[av.VideoFrame]:
        count = 0
        try:
            with opened_video(self.path) as (container, stream):
                stream.thread_type = "AUTO"
                rate = stream.average_rate
                self._rate, self._told = float(rate) if rate else None, stream.frames
                for frame in container.decode(stream):
                    yield frame
                    count += 1
        except FileNotFoundError:
            raise Pose3DError(f"{self.path} does not exist, expected a video file") from None
        except (av.error.FFmpegError, OSError) as error:
            after = f"is damaged after frame {count - 1}" if count else "cannot be read as a video"
            raise Pose3DError(f"{self.path} {after}: {error.strerror or error}") from None

    @contextlib.contextmanager
    def _converting(self) -> Iterator[None]:
        """What FFmpeg says of pixels in a form that nothing makes RGB of becomes one line."""
        try:
            yield
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Pose3DError(f"{self.path} is damaged: a frame cannot be shown: {reason}") from None

    def _oriented(self, frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Image.Image:
        # Telephones turn by quarters; anything between is damage.
        turn = 90 * round(frame.rotation / 90) % 360
        with self._converting():
            if size is None:
                image = frame.to_image()
            else:
                width, height = size if turn % 180 == 0 else size[::-1]
                image = frame.to_image(width=width, height=height, interpolation="AREA")
        return image.rotate(turn, expand=True) if turn else image


def frame_pixels(frame: av.VideoFrame, pixels: str) -> np.ndarray:
    """The frame as an array, `"rgb24"` or `"rgba"`.

    FFmpeg's own way to four bytes a pixel leaves the last columns of some widths as they were, and where
    several threads convert, each overwrites the start of the next one's rows.
    """
    try:
        image = frame.to_ndarray(format="rgb24", threads=1)
    except TypeError:  # Before PyAV 15 there is but one.
        image = frame.to_ndarray(format="rgb24")
    if pixels == "rgb24":
        return image
    padded = np.empty((*image.shape[:2], 4), np.uint8)
    # One after the other is six times faster than all at once.
    for channel in range(3):
        padded[..., channel] = image[..., channel]
    padded[..., 3] = 255
    return padded


def write_mp4(path: str | Path, pictures: Iterable[Image.Image], fps: float, bitrate: int = 3000) -> int:
    """Writes an H.264 video that browsers play (yuv420p, index in front).

    Args:
        path: The file; see `tf_pose3d.files.staged` for writing it whole or not at all.
        pictures: RGB, all of one size with even sides, at least one.
        fps: Pictures per second.
        bitrate: kbit/s.

    Returns:
        The number of pictures written.

    Raises:
        Pose3DError: The PyAV that is installed has no H.264 encoder.
    """
    rate = Fraction(fps).limit_denominator(1001)
    count = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = _add_stream(container, picture.size, rate, bitrate)
            frame = av.VideoFrame.from_image(picture)
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base = count, 1 / rate
            container.mux(stream.encode(frame))
            count += 1
        if stream is not None:
            container.mux(stream.encode())
    return count


def _add_stream(
    container: av.container.OutputContainer, size: tuple[int, int], rate: Fraction, bitrate: int
) -> av.VideoStream:
    try:
        stream = container.add_stream("libx264", rate=rate, options={"preset": _PRESET})
    except av.codec.codec.UnknownCodecError:
        raise Pose3DError(
            "this PyAV has no H.264 encoder (libx264): install PyAV from its wheel, or write .gif or .html"
        ) from None
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / rate
    stream.bit_rate = bitrate * 1000
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = 1
    return stream
