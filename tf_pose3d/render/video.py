"""Read and write video files, by PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from tf_pose3d.errors import Pose3DError

__all__ = ["VideoReader", "write_mp4"]

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
        wanted = iter(numbers)
        number = next(wanted, None)
        for index, frame in enumerate(self._decode()):
            if number is None:
                return
            if index == number:
                yield self._oriented(frame, size)
                number = next(wanted, None)

    def _decode(self) -> Iterator[av.VideoFrame]:
        count = 0
        try:
            with av.open(str(self.path), metadata_errors="replace") as container:
                if not container.streams.video:
                    raise Pose3DError(f"{self.path} holds no video, expected a video file")
                stream = container.streams.video[0]
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

    @staticmethod
    def _oriented(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Image.Image:
        # Telephones turn by quarters; anything between is damage.
        turn = 90 * round(frame.rotation / 90) % 360
        if size is None:
            image = frame.to_image()
        else:
            width, height = size if turn % 180 == 0 else size[::-1]
            image = frame.to_image(width=width, height=height, interpolation="AREA")
        return image.rotate(turn, expand=True) if turn else image


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
