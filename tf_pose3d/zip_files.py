"""Zip files from anywhere: members that unpack to more than their size warrants are refused beforehand."""

from __future__ import annotations

import lzma
import zipfile
import zlib

__all__ = ["ZIP_DAMAGE", "check_growth", "read_member"]

# What damage raises in zipfile and its decompressors.
ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    KeyError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)
# A member may grow so much when it is unpacked (zeros shrink to a thousandth), beyond a size that always may
# be.
_MOST_GROWTH, _ALWAYS_ALLOWED = 300, 1 << 26


def check_growth(info: zipfile.ZipInfo) -> None:
    """Checks what a member says about its size.

    Raises:
        ValueError: It unpacks to much more than it takes in the file.
    """
    if info.file_size > max(_MOST_GROWTH * info.compress_size, _ALWAYS_ALLOWED):
        raise ValueError(f"{info.filename} unpacks to {info.file_size} bytes from {info.compress_size}")


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member's content.

    Raises:
        ValueError: As `check_growth`.
        KeyError: There is no such member; and the others of `ZIP_DAMAGE`.
    """
    info = archive.getinfo(name)
    check_growth(info)
    return archive.read(info)
