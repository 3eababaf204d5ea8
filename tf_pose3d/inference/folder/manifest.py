"""What became of each file of a folder: JSON lines, one a file, appended as files are done.

The first line says what this is. A line is written in one piece and reaches the disk before the run goes on;
one that was cut short by the machine's end is passed over, and that file is done again. Of several lines of
a file the latest counts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf_pose3d.errors import Pose3DError

__all__ = ["Manifest", "has_manifest", "manifest_name", "read_manifests", "read_settings"]

_FORMAT = "tf_pose3d folder run"
_PATTERN = "manifest*.jsonl"

Line = dict[str, Any]


def manifest_name(part: str = "") -> str:
    """The file's name, of one shard where `part` says which."""
    return f"manifest.{part}.jsonl" if part else "manifest.jsonl"


class Manifest:
    """The manifest of one run, open for more lines.

    Args:
        path: The file; it goes on where it is there.

    Raises:
        Pose3DError: It is a file of something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(path, flags, 0o666)
            size = os.fstat(self._file).st_size
            if size and not has_manifest(path.parent, path.name):
                raise Pose3DError(f"{path} is no manifest of a folder run; move it away")
            if not size:
                self.add({"manifest": _FORMAT, "version": 1})
            elif not _ends_line(path):
                self._write(b"\n")
        except OSError as error:
            raise Pose3DError(f"cannot write {path}: {error.strerror or error}") from None

    def add(self, line: Mapping[str, Any]) -> None:
        """Appends a line.

        Raises:
            Pose3DError: It cannot be written, for example because the disk is full.
        """
        text = json.dumps({**line, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        try:
            self._write(text.encode("ascii") + b"\n")
            os.fsync(self._file)
        except OSError as error:
            raise Pose3DError(f"cannot write {self.path}: {error.strerror or error}") from None

    def _write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._file, content) :]

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def has_manifest(folder: Path, pattern: str = _PATTERN) -> bool:
    """Whether a folder holds results of such a run."""
    for path in sorted(folder.glob(pattern)):
        try:
            with path.open("rb") as file:
                head = json.loads(file.readline(4096))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(head, dict) and head.get("manifest") == _FORMAT:
            return True
    return False


def _lines(folder: Path) -> list[Line]:
    """All lines of all manifests in a folder, oldest first; damaged ones are passed over."""
    found: list[tuple[str, Line]] = []
    for path in sorted(folder.glob(_PATTERN)):
        if not has_manifest(folder, path.name):
            continue
        # A clock that went back does not change the order within a file.
        latest = ""
        try:
            with path.open("rb") as file:
                for text in file:
                    try:
                        line = json.loads(text)
                    except (ValueError, RecursionError):
                        continue
                    if isinstance(line, dict):
                        latest = max(latest, str(line.get("time", "")))
                        found.append((latest, line))
        except OSError as error:
            raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
    return [line for _, line in sorted(found, key=lambda held: held[0])]


def read_manifests(folder: Path) -> dict[str, Line]:
    """Name of each file -> its latest line, over all shards.

    Raises:
        Pose3DError: A manifest cannot be read.
    """
    return {line["file"]: line for line in _lines(folder) if _is_of_file(line)}


def _is_of_file(line: Line) -> bool:
    """Whether a line says what became of a file; others, damaged ones among them, count for nothing."""
    texts = [line.get(name) for name in ("file", "status", "settings", "stem", "version")]
    return all(isinstance(text, str) for text in texts)


def read_settings(folder: Path) -> dict[str, dict[str, Any]]:
    """Fingerprint -> settings of the runs that wrote into a folder.

    Raises:
        Pose3DError: A manifest cannot be read.
    """
    return {
        line["settings"]: line["values"]
        for line in _lines(folder)
        if isinstance(line.get("settings"), str) and isinstance(line.get("values"), dict)
    }
