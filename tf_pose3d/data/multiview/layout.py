"""Where a multi-view data set's files are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tf_pose3d.data.datasets import Option
from tf_pose3d.data.multiview.images import FileImages, ImageSource, ZipImages
from tf_pose3d.errors import Pose3DError, shown

__all__ = ["IMAGE_OPTIONS", "find_root", "locate_images", "numbered_recordings"]

IMAGE_OPTIONS = (
    Option("root", "folder of the images and annotations", "data", metavar="DIR", is_place=True),
    Option(
        "data_format",
        "where images are: jpg, files in folders; zip, images.zip",
        "jpg",
        choices=("jpg", "zip"),
    ),
)


def find_root(root: str | Path, folders: Sequence[str], what: str) -> Path:
    """The folder that holds `annot`: `root` itself, or one of these folders in it.

    Args:
        root: DATA_ROOT.
        folders: Names that the release gives the data set's folder.
        what: The data set's name for `tools/prepare_multiview.py`; empty where that does not make it.

    Raises:
        Pose3DError: There is none.
    """
    for candidate in (Path(root), *(Path(root) / name for name in folders)):
        if (candidate / "annot").is_dir():
            return candidate
    made = f"; tools/prepare_multiview.py {what} makes it" if what else ""
    raise Pose3DError(
        f"{root}: neither it nor its {' or '.join(folders)} holds a folder annot (--data_root, DATA_ROOT)"
        f"{made}"
    )


def locate_images(
    folder: Path,
    names: Sequence[str],
    data_format: str,
    log: Callable[[str], None] | None = None,
) -> tuple[ImageSource, np.ndarray]:
    """The images that annotations name.

    Recordings whose images are not there are left out, as the release does, so that groups lack their view.

    Args:
        folder: Of `images` or `images.zip`.
        names: N paths below `images`; absolute paths are files anywhere.
        data_format: `jpg` or `zip`.
        log: Takes a line for the user.

    Returns:
        The images that are there, and the `(n,)` numbers of their annotations.

    Raises:
        Pose3DError: None is there.
    """
    for number, name in enumerate(names):
        # Nor have paths of images characters that move what a terminal writes.
        if not isinstance(name, str) or not 0 < len(name) < 4096 or min(name) < " ":
            raise Pose3DError(f"{folder}: annotation {number} names the image {shown(name)}, expected a path")
    if data_format == "zip":
        archive = ZipImages(folder / "images.zip", [f"images/{name}" for name in names])
        held = archive.names()
        there = np.array([member in held for member in archive.members])
        kept = np.flatnonzero(there)
        archive.members = [archive.members[number] for number in kept]
        source: ImageSource = archive
        where = str(archive.path)
    else:
        paths = [folder / "images" / name for name in names]
        present = {parent: _is_folder(parent) for parent in dict.fromkeys(path.parent for path in paths)}
        kept = np.flatnonzero([present[path.parent] for path in paths])
        source = FileImages([paths[number] for number in kept])
        where = str(folder / "images")
    if not len(kept):
        raise Pose3DError(f"{where}: holds none of the images that the annotations name, e.g. {names[0]}")
    if len(kept) < len(names) and log is not None:
        log(f"{where}: {len(names) - len(kept)} of {len(names)} annotated images are not there; left out")
    return source, kept


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long is none
        return False


def numbered_recordings(facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers recordings in the order in which they first appear.

    Args:
        facts: `(N, K)` whole numbers that tell recordings apart.

    Returns:
        `(N,)` int32 number of each row's recording, `(R,)` the first row of each recording.
    """
    _, first, inverse = np.unique(facts, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse.ravel()].astype(np.int32), first[order]
