"""Where the pixels of a data set lie: files in folders, or members of a zip file."""

from __future__ import annotations

import abc
import struct
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.zip_files import ZIP_DAMAGE, read_member

__all__ = ["FileImages", "ImageSource", "ImageSources", "ZipImages", "decode_image"]


# More than any camera's; a few bytes can announce more.
_MOST_PIXELS = 1 << 27


def _announced_size(content: bytes) -> tuple[int, int]:
    """Width and height that an image's header states; 0, 0 where it cannot be told."""
    if content.startswith(b"\x89PNG") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content.startswith(b"GIF8") and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return width, height
    if content.startswith(b"BM") and len(content) >= 26:
        width, height = struct.unpack("<ii", content[18:26])
        return abs(width), abs(height)
    place, largest = 2, (0, 0)
    while content.startswith(b"\xff\xd8") and place + 9 <= len(content):
        # Markers of frames are C0 to CF but for three; those without content have no length.
        marker = content[place + 1]
        if content[place] != 0xFF or marker in (0xFF, 0x00, 0x01, *range(0xD0, 0xD9)):
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            largest = max(largest, (width, height), key=lambda size: size[0] * size[1])
        if marker == 0xDA:
            break
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return largest


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
    width, height = _announced_size(content)
    if width * height > _MOST_PIXELS:
        raise Pose3DError(f"{name}: an image of {width} x {height} pixels, more than {_MOST_PIXELS}")
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
        except ZIP_DAMAGE:
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
                content = read_member(self._archive, self.members[index])
        except KeyError:
            raise Pose3DError(f"{name}: the zip file has no such image") from None
        except (*ZIP_DAMAGE, OSError) as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
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
