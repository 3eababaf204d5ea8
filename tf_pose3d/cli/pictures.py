"""What `inference.py` writes: checks of output files, and pictures by the flags `--viz_*`."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder

if TYPE_CHECKING:
    import numpy as np

    from tf_pose3d.cli.flags import Parser
    from tf_pose3d.data.sequence import Sequence as PoseSequence

__all__ = ["add_picture_flags", "check_output", "check_pictures", "draw_pictures"]


def add_picture_flags(parser: Parser, several: bool = False) -> None:
    """Flags of pictures.

    Args:
        parser: Takes them.
        several: Of several cameras, whose videos are as many.
    """
    picture = parser.add_argument_group("pictures")
    picture.add_argument(
        "--viz_output",
        metavar="FILE",
        help="draw into FILE: .gif, .mp4, .png (a sheet, or with %%04d in its name every frame) or .html",
    )
    picture.add_argument(
        "--viz_video",
        metavar="FILE",
        nargs="+" if several else None,
        help="the cameras' videos, named as they are, to draw under what they saw (.html)"
        if several
        else "the recording's video, to draw under the 2D pose; gives size and rate where --input does not",
    )
    picture.add_argument("--viz_skip", type=int, default=0, metavar="N", help="leave out the first N frames")
    picture.add_argument("--viz_downsample", type=int, default=1, metavar="N", help="draw every N-th frame")
    picture.add_argument(
        "--viz_limit", type=int, default=-1, metavar="N", help="draw at most N frames; -1: all there are"
    )
    picture.add_argument(
        "--viz_size", type=float, default=5.0, metavar="N", help="height of the pictures in 100 pixels"
    )
    picture.add_argument(
        "--viz_bitrate", type=int, default=3000, metavar="N", help="bit rate of .mp4 files in kbit/s"
    )
    picture.add_argument(
        "--viz_no_ground_truth", action="store_true", help="draw neither true poses nor errors"
    )


def check_output(
    flag: str,
    path: str,
    inputs: Sequence[str | os.PathLike | None],
    outputs: Sequence[str | os.PathLike | None] = (),
) -> None:
    """Checks that a file can be written, and is none of those that are read or that other flags write.

    Raises:
        Pose3DError: It cannot, or is.
    """
    for given in inputs:
        if (
            given is not None
            and os.path.exists(path)
            and os.path.exists(given)
            and os.path.samefile(path, given)
        ):
            raise Pose3DError(f"{flag} {path} is a file that is read; name another")
    for other in outputs:
        if other is not None and os.path.realpath(path) == os.path.realpath(other):
            raise Pose3DError(f"{flag} {path} is a file that another flag writes; name another")
    require_writable_folder(Path(path).parent)


def check_pictures(arguments: Namespace, sequence: PoseSequence) -> None:
    """Finds what is wrong with a picture before the work that it shows is done.

    Raises:
        Pose3DError: See `tf_pose3d.render.check_picture` and `tf_pose3d.render.select_frames`.
    """
    from tf_pose3d.render import check_picture, select_frames

    select_frames(sequence, arguments.viz_skip, arguments.viz_downsample, arguments.viz_limit)
    if sequence.camera is None:
        raise Pose3DError(f"{sequence.label}: pictures need a camera with an image size")
    check_picture(
        arguments.viz_output,
        (sequence.camera.width, sequence.camera.height),
        sequence.fps / arguments.viz_downsample,
        arguments.viz_size,
        arguments.viz_video,
        arguments.viz_bitrate,
    )


def draw_pictures(
    arguments: Namespace,
    sequence: PoseSequence,
    poses: np.ndarray,
    root: int,
    log: Callable[[str], None],
    axes: str = "camera",
    unsure: np.ndarray | None = None,
    company: np.ndarray | None = None,
    curves: Mapping[str, np.ndarray] | None = None,
    company_2d: np.ndarray | None = None,
) -> None:
    """Draws what the flags ask for.

    Args:
        arguments: The flags.
        sequence, poses, root, axes, unsure, company, curves, company_2d: See `tf_pose3d.render.make_scene`.
        log: Takes a line for the user.

    Raises:
        Pose3DError: See `tf_pose3d.render.draw`.
    """
    from tf_pose3d.render import draw, make_scene

    scene = make_scene(
        sequence,
        poses,
        root,
        skip=arguments.viz_skip,
        downsample=arguments.viz_downsample,
        limit=arguments.viz_limit,
        ground_truth=not arguments.viz_no_ground_truth,
        axes=axes,
        standing=arguments.placement != "world",
        unsure=unsure,
        company=company,
        curves=curves,
        company_2d=company_2d,
    )
    count = draw(
        scene,
        arguments.viz_output,
        arguments.viz_size,
        arguments.viz_video,
        arguments.viz_bitrate,
        show_progress=True,
    )
    asked = f"{len(scene)} frame" + "s" * (len(scene) != 1)
    drawn = asked if count == len(scene) else f"{count} of {asked}"
    log(f"wrote {arguments.viz_output}: {drawn}, {scene.fps:g} per second")
