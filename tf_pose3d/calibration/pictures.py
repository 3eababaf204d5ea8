"""Pictures of one board from videos and folders of images, each with its frame number (OpenCV)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.calibration.boards import Board, corner_finder
from tf_pose3d.calibration.sightings import Sightings
from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra

__all__ = ["read_sightings"]

Picture = npt.NDArray[np.uint8]
Log = Callable[[str], None]

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
# Pictures that are looked at per camera: a board that is carried about needs no more.
_LOOKED_AT = 200


@dataclasses.dataclass(frozen=True)
class _Input:
    """A camera's pictures: a video, or images in their order."""

    name: str
    video: Path | None
    images: tuple[Path, ...]


def read_sightings(
    paths: Sequence[str | Path],
    board: Board,
    every: int | None = None,
    offsets: dict[str, int] | None = None,
    log: Log | None = None,
) -> list[Sightings]:
    """Where each camera saw the board.

    Args:
        paths: A video or a folder of images per camera, or images of one camera. Images are of one moment
            where the numbers in their names are equal.
        board: The board.
        every: Look at every n-th frame; None: so that about 200 of the shortest video are looked at.
        offsets: Camera -> how many frames later than the others it began.
        log: Called with progress.

    Raises:
        Pose3DError: OpenCV is missing, a file is no video or image, sizes differ within a camera, or two
            cameras have one name.
    """
    require_extra("cv2", "OpenCV", "calibrate", "reading pictures of boards")
    inputs = _inputs(paths)
    names = [source.name for source in inputs]
    offsets = dict(offsets or {})
    unknown = [name for name in offsets if name not in names]
    if unknown:
        raise Pose3DError(f"--offsets: no camera {unknown[0]}; there are {', '.join(names)}")
    if every is None:
        counts = [count for count in map(_length, inputs) if count > 0]
        every = max(1, min(counts) // _LOOKED_AT) if counts else 1
    found = []
    for source in inputs:
        held = _sightings(source, board, every, offsets.get(source.name, 0))
        if log is not None:
            seen = int((np.isfinite(held.corners[..., 0]).any(axis=1)).sum())
            log(f"camera {held.name}: the board in {seen} pictures, {held.size[0]}x{held.size[1]}")
        found.append(held)
    return found


def _inputs(paths: Sequence[str | Path]) -> list[_Input]:
    inputs: list[_Input] = []
    loose: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            images = sorted(file for file in path.iterdir() if file.suffix.lower() in _IMAGES)
            if not images:
                raise Pose3DError(f"{path} is a folder without images ({', '.join(_IMAGES)})")
            inputs.append(_Input(path.resolve().name, None, tuple(images)))
        elif not path.exists():
            raise Pose3DError(f"{path} does not exist, expected a video or a folder of images")
        elif path.suffix.lower() in _IMAGES:
            loose.append(path)
        else:
            inputs.append(_Input(path.stem, path, ()))
    if loose:
        inputs.append(_Input(loose[0].resolve().parent.name, None, tuple(loose)))
    names = [source.name for source in inputs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Pose3DError(f"two cameras are called {twice}: name videos and folders by their cameras")
    if not inputs:
        raise Pose3DError("no videos or images given")
    return inputs


def _length(source: _Input) -> int:
    """How many pictures there are, as far as a video tells."""
    if source.video is None:
        return len(source.images)
    import cv2

    capture = cv2.VideoCapture(str(source.video))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    return count


def _pictures(source: _Input, every: int, offset: int) -> Iterator[tuple[int, Picture]]:
    """Common frame numbers that `every` divides, and grey pictures."""
    import cv2

    if source.video is None:
        for place, path in enumerate(source.images):
            numbers = re.findall(r"[0-9]{1,15}", path.stem)
            number = (int(numbers[-1]) if numbers else place) + offset
            picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if picture is None:
                raise Pose3DError(f"{path} is no image, or damaged")
            yield number, np.asarray(picture, np.uint8)
        return
    capture = cv2.VideoCapture(str(source.video))
    try:
        number = offset
        while capture.grab():
            if number % every == 0:
                fine, picture = capture.retrieve()
                if fine:
                    yield number, np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
            number += 1
        if number == offset:
            raise Pose3DError(f"{source.video} is no video that OpenCV can read, or empty")
    finally:
        capture.release()


def _sightings(source: _Input, board: Board, every: int, offset: int) -> Sightings:
    find = corner_finder(board)
    count = len(board.corners())
    frames: list[int] = []
    corners: list[npt.NDArray[np.float64]] = []
    size: tuple[int, int] | None = None
    for number, picture in _pictures(source, every, offset):
        here = picture.shape[1], picture.shape[0]
        if size is not None and here != size:
            raise Pose3DError(
                f"camera {source.name}: pictures of {size[0]}x{size[1]} and of {here[0]}x{here[1]}; a lens "
                "is calibrated at one size"
            )
        size = here
        ids, points = find(picture)
        if len(ids):
            held = np.full((count, 2), np.nan)
            held[ids] = points
            frames.append(number)
            corners.append(held)
    if size is None:
        raise Pose3DError(f"camera {source.name}: no picture to look at")
    order = np.argsort(frames, kind="stable")
    table = np.array(corners).reshape(-1, count, 2)[order] if corners else np.zeros((0, count, 2))
    return Sightings(source.name, size, np.array(frames, np.int64)[order], table)
