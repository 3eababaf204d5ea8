"""Draw a scene into a file whose extension says how."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_av, require_pillow
from tf_pose3d.files import staged, write_whole
from tf_pose3d.progress import Progress
from tf_pose3d.render import style
from tf_pose3d.render.scene import Scene

if TYPE_CHECKING:
    from PIL.Image import Image

    from tf_pose3d.render.video import VideoReader

__all__ = ["FORMATS", "LARGEST", "SMALLEST", "check_picture", "draw"]

FORMATS = (".gif", ".mp4", ".png", ".html")
# Heights of a panel, in 100 pixels.
SMALLEST, LARGEST = 0.8, 40.0
# A number in a file's name, e.g. %04d.
_NUMBER = re.compile(r"%0?\d*d")
_GIF_FPS = 50
_PALETTE_SAMPLES = 8
# Height in pixels of the video frames that an HTML page holds, per unit of size.
_HTML_FRAME = 100


def check_picture(
    path: str | Path,
    image_size: tuple[int, int],
    fps: float,
    size: float = 5.0,
    video: str | Path | VideoReader | None = None,
    bitrate: int = 3000,
) -> None:
    """Checks that a picture can be drawn, before the work that it shows is done.

    Args:
        path: The file to write.
        image_size: Width and height of the image that the 2D poses lie in, pixels.
        fps: Pictures per second.
        size, video, bitrate: See `draw`.

    Raises:
        Pose3DError: What is wrong: an extension that is not among `FORMATS`; a library that is not
            installed; a size, frame rate or bit rate beyond reason; a video that cannot be read or shows
            another image than the 2D poses lie in.
    """
    name, suffix = str(path), Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise Pose3DError(f"{path}: expected a picture whose name ends in {', '.join(FORMATS)}")
    if "%" in name and (suffix != ".png" or name.count("%") != 1 or not _NUMBER.search(Path(name).name)):
        raise Pose3DError(f"{path}: a number like %04d may stand once, in the name of .png files")
    if not SMALLEST <= size <= LARGEST:
        raise Pose3DError(f"pictures of size {size:g} are not drawn, expected {SMALLEST:g} to {LARGEST:g}")
    if bitrate < 1:
        raise Pose3DError(f"a bit rate of {bitrate} kbit/s is none, expected 1 or more")
    if suffix == ".gif" and fps > _GIF_FPS:
        raise Pose3DError(
            f"{path}: browsers play .gif files at no more than {_GIF_FPS} pictures per second, not {fps:g}: "
            "draw every second frame (--viz_downsample 2) or an .mp4"
        )
    if suffix != ".html" or video is not None:
        require_pillow()
    if suffix == ".mp4" or video is not None:
        require_av()
    if video is not None:
        from tf_pose3d.render.video import VideoReader

        VideoReader.of(video).check_shape(image_size)


def draw(
    scene: Scene,
    path: str | Path,
    size: float = 5.0,
    video: str | Path | VideoReader | None = None,
    bitrate: int = 3000,
    show_progress: bool = False,
) -> int:
    """Draws a scene; the file is written whole or not at all.

    The extension decides: `.gif` and `.mp4` play; `.png` is the single frame, or a sheet of at most 12
    frames spread over the clip, or with a number in its name (`frame_%04d.png`) a file for each frame;
    `.html` plays and turns in a browser.

    Args:
        scene: What to draw.
        path: The file.
        size: Height of a panel in 100 pixels.
        video: The recording's video, drawn under the 2D pose. Where it ends, so does the clip.
        bitrate: Of `.mp4`, kbit/s.
        show_progress: Show a progress bar.

    Returns:
        The number of frames drawn.

    Raises:
        Pose3DError: As `check_picture`; a video that ends before the first frame; a file that cannot be
            written.
    """
    check_picture(path, scene.image_size, scene.fps, size, video, bitrate)
    suffix = Path(path).suffix.lower()
    sheet = suffix == ".png" and "%" not in str(path)
    if sheet:
        from tf_pose3d.render.png import sheet_frames

        scene = scene.take(sheet_frames(len(scene)))
    with Progress(len(scene), f"drawing {Path(path).name}") as progress:
        if suffix == ".html":
            return _draw_html(scene, path, size, video, progress if show_progress else None)
        return _draw_frames(scene, path, size, video, bitrate, progress if show_progress else None)


def _draw_frames(
    scene: Scene,
    path: str | Path,
    size: float,
    video: str | Path | VideoReader | None,
    bitrate: int,
    progress: Progress | None,
) -> int:
    from tf_pose3d.render.painting import Painter

    painter = Painter(scene, size, over_video=video is not None)
    frames = None
    if video is not None and painter.picture_size is not None:
        frames = _video_frames(scene, video, painter.picture_size)
    pictures = _counted(painter.paint_all(frames), progress)
    suffix = Path(path).suffix.lower()
    if suffix == ".gif":
        from tf_pose3d.render.gif import common_palette, frame_delays, write_gif

        palette = None
        if video is None:
            samples = range(0, len(scene), -(-len(scene) // _PALETTE_SAMPLES))
            palette = common_palette([painter.paint(index) for index in samples], style.PALETTE)
        with write_whole(path) as file:
            return write_gif(file, pictures, frame_delays(len(scene), scene.fps), palette, style.PALETTE)
    if suffix == ".mp4":
        from tf_pose3d.render.video import write_mp4

        with staged(path) as temporary:
            return write_mp4(temporary, pictures, scene.fps, bitrate)
    from tf_pose3d.render.png import write_numbered, write_sheet

    return write_numbered(str(path), pictures) if "%" in str(path) else write_sheet(path, pictures)


def _draw_html(
    scene: Scene,
    path: str | Path,
    size: float,
    video: str | Path | VideoReader | None,
    progress: Progress | None,
) -> int:
    from tf_pose3d.render.html import html_document

    frames = None
    if video is not None:
        width, height = scene.image_size
        scale = _HTML_FRAME * size / max(width, height)
        frames = _counted(
            _video_frames(scene, video, (round(width * scale), round(height * scale))), progress
        )
    view_frames = []
    for view in scene.views:
        width, height = view.image_size
        scale = _HTML_FRAME * size / max(width, height)
        shown = (round(width * scale), round(height * scale))
        view_frames.append(None if view.video is None else _video_frames(scene, view.video, shown))
    text, count = html_document(scene, frames, view_frames)
    with write_whole(path, "w") as file:
        file.write(text)
    return count


def _video_frames(scene: Scene, video: str | Path | VideoReader, size: tuple[int, int]) -> Iterator[Image]:
    """The video's frames that belong to the scene's, at least one."""
    from tf_pose3d.render.video import VideoReader

    frames = VideoReader.of(video).frames(scene.frames.tolist(), size)
    first = next(frames, None)
    if first is None:
        raise Pose3DError(f"{video} ends before frame {scene.frames[0]}, the first to draw")
    return itertools.chain([first], frames)


def _counted(pictures: Iterator[Image], progress: Progress | None) -> Iterator[Image]:
    for picture in pictures:
        yield picture
        if progress is not None:
            progress.update()
