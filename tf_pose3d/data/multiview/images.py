"""Where the pixels of a data set lie: files in folders, or members of a zip file."""

from __future__ import annotations

import abc
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["FileImages", "ImageSource", "ImageSources", "ZipImages", "decode_image"]


def decode_image(content: bytes, name: str) -> np.ndarray:
    """`(height, width, 3)` uint8, red, green, blue; an orientation in the file's EXIF data is not applied.

    Args:
        content: A JPEG, PNG, BMP or GIF file.
        name: Of the file, for the message.

    Raises:
        Pose3DError: It is none of these, or truncated.
    """
    if not content:
        raise Pose3DError(f"{name}: the image is empty; copy or extract it again")
    # Not at the top: the table of data sets is read where TensorFlow has not been started.
    import tensorflow as tf

    try:
        image = tf.io.decode_image(content, channels=3, expand_animations=False)
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        raise Pose3DError(
            f"{name}: no image, or truncated (JPEG, PNG and BMP are read); copy or extract it again"
        ) from None
    return image.numpy()


class ImageSource(abc.ABC):
    """Images by number."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """What messages call the image."""

    @abc.abstractmethod
    def read(self, index: int) -> np.ndarray:
        """`(height, width, 3)` uint8, red, green, blue.

        Raises:
            Pose3DError: It is missing, unreadable or truncated; the message names it.
        """


class FileImages(ImageSource):
    """Image files.

    Args:
        paths: One per image.
    """

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return str(self.paths[index])

    def read(self, index: int) -> np.ndarray:
        path = Path(self.paths[index])
        try:
            content = path.read_bytes()
        except OSError as error:
            raise Pose3DError(f"{path}: cannot read the image: {error.strerror or error}") from None
        return decode_image(content, str(path))


class ZipImages(ImageSource):
    """Members of a zip file.

    Args:
        path: The file.
        members: Their names in it, one per image.

    Raises:
        Pose3DError: No such file, or no zip file.
    """

    def __init__(self, path: str | Path, members: Sequence[str]) -> None:
        self.path = Path(path)
        self.members = list(members)
        try:
            self._archive = zipfile.ZipFile(self.path)
        except OSError as error:
            raise Pose3DError(f"{self.path}: cannot read the images: {error.strerror or error}") from None
        except zipfile.BadZipFile:
            raise Pose3DError(f"{self.path}: no zip file, or truncated; copy or make it again") from None
        # One file position serves all threads.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.members)

    def name(self, index: int) -> str:
        return f"{self.path}, {self.members[index]}"

    def names(self) -> set[str]:
        """All members of the file, whether images of the data set or not."""
        return set(self._archive.namelist())

    def read(self, index: int) -> np.ndarray:
        name = self.name(index)
        try:
            with self._lock:
                content = self._archive.read(self.members[index])
        except KeyError:
            raise Pose3DError(f"{name}: the zip file has no such image") from None
        except Exception as error:  # damage may surface anywhere in zipfile and zlib
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Pose3DError(f"{name}: cannot read the image ({reason}); make the zip file again") from None
        return decode_image(content, name)


class ImageSources(ImageSource):
    """Several sources, one after another.

    Args:
        sources: At least one.
    """

    def __init__(self, sources: Sequence[ImageSource]) -> None:
        self.sources = list(sources)
        self._first = np.concatenate([[0], np.cumsum([len(source) for source in sources])])

    def __len__(self) -> int:
        return int(self._first[-1])

    def _find(self, index: int) -> tuple[ImageSource, int]:
        number = int(np.searchsorted(self._first, index, side="right")) - 1
        return self.sources[number], int(index - self._first[number])

    def name(self, index: int) -> str:
        source, within = self._find(index)
        return source.name(within)

    def read(self, index: int) -> np.ndarray:
        source, within = self._find(index)
        return source.read(within)
