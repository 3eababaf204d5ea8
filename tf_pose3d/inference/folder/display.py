"""How far a folder run is: each file that is being lifted, all of them, and when it ends."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from tf_pose3d.progress import format_duration

__all__ = ["Display", "files"]


def files(count: int) -> str:
    """`"1 file"`."""
    return f"{count:,} file{'s' * (count != 1)}"


@dataclasses.dataclass
class _File:
    """One that is being lifted.

    Attributes:
        size: Bytes.
        share: How much of it is done.
        words: The same for people.
    """

    size: int
    share: float = 0.0
    words: str = ""


class Display:
    """A line on a terminal that is drawn anew, elsewhere a line from time to time.

    Time is reckoned by the inputs' bytes, as long clips take longer.

    Args:
        files: How many there are to do.
        size: Bytes of all of them.
        stream: Where to write; standard error by default.
        interval: Seconds between lines; a terminal's is drawn twice a second.
    """

    def __init__(self, files: int, size: int, stream: TextIO | None = None, interval: float = 10.0) -> None:
        self._files, self._size = files, size
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._interval = 0.5 if self._terminal else interval
        self._finished = self._failed = self._finished_size = 0
        self._now: dict[str, _File] = {}
        self._start = self._shown = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *exception: object) -> None:
        self._clear()

    def begin(self, name: str, size: int) -> None:
        """A file of so many bytes goes to a worker."""
        self._now[name] = _File(size)

    def stage(self, name: str, label: str, done: int, total: int) -> None:
        """How far it is."""
        file = self._now.get(name)
        if file is not None:
            file.words = f" {label} {done / total:.0%}" if total else f" {label} {done}"
            file.share = max(file.share, min(done / total, 1.0) if total else 0.0)

    def pause(self, name: str) -> None:
        """It waits again."""
        self._now.pop(name, None)

    def end(self, name: str, failed: bool = False) -> None:
        """It is done, or failed."""
        file = self._now.pop(name, None)
        self._finished += 1
        self._failed += failed
        self._finished_size += 0 if file is None else file.size

    def count(self) -> str:
        """`[3/10]`."""
        return f"[{self._finished}/{self._files}]"

    def print(self, log: Callable[[str], None], line: str) -> None:
        """A line that stays."""
        self._clear()
        log(line)

    def text(self, now: float | None = None) -> str:
        """The line."""
        elapsed = (time.monotonic() if now is None else now) - self._start
        failed = f", {self._failed} failed" if self._failed else ""
        share = self._finished / max(self._files, 1)
        if self._size:
            partly = sum(file.size * file.share for file in self._now.values())
            share = min((self._finished_size + partly) / self._size, 1.0)
        left = "ETA not known yet"
        if share > 0:
            left = f"ETA {format_duration(elapsed * (1 - share) / share)}"
        line = f"{self._finished}/{self._files} files{failed}, {share:.0%}, {left}"
        if self._now:
            shown = [f"{name}{file.words}" for name, file in list(self._now.items())[:4]]
            line += f"; now {', '.join(shown)}{', ...' if len(self._now) > 4 else ''}"
        return line

    def show(self) -> None:
        """Shows the line, where it is time."""
        if time.monotonic() - self._shown < self._interval:
            return
        self._shown = time.monotonic()
        if not self._terminal:
            self._stream.write(f"{self.text()}\n")
        else:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\033[K{self.text()[:width]}")
            self._drawn = True
        self._stream.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write("\r\033[K")
            self._stream.flush()
            self._drawn = False
