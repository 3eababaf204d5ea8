"""Progress of long work: a bar with an ETA on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO

__all__ = ["Progress", "format_duration", "progress_to"]

# Label, steps done, steps in all.
Listener = Callable[[str, int, int], None]

# Takes the progress of this process instead of the stream; None: it is shown.
_listener: Listener | None = None


@contextlib.contextmanager
def progress_to(listener: Listener) -> Iterator[None]:
    """Within the block, all progress of this process goes to a function, and none to a stream."""
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def format_duration(seconds: float) -> str:
    """`"1h 02m 03s"`."""
    seconds = round(seconds)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m {seconds:02d}s"
    return f"{minutes}m {seconds:02d}s" if minutes else f"{seconds}s"


class Progress:
    """Shows how far a loop is.

    Args:
        total: Steps in all; 0: nobody knows, and nothing is shown.
        label: What is going on, e.g. `"epoch 3/120"`.
        stream: Where to write; stderr by default.
        interval: Seconds between plain lines; a terminal's bar is redrawn five times a second.
        later_steps: Steps of the same kind that follow this loop; the end of all of them is then said too.
        later_seconds: What comes between and after them, such as validation; None: not known yet.

    Use as a context manager; call `update` after every step.
    """

    def __init__(
        self,
        total: int,
        label: str,
        stream: TextIO | None = None,
        interval: float = 10.0,
        later_steps: int = 0,
        later_seconds: float | None = 0.0,
    ) -> None:
        self.later_steps = later_steps
        self.later_seconds = later_seconds
        self.total = total
        self.label = label
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.interval = 0.2 if self.terminal else interval
        self.done = 0
        self._start = self._shown = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.terminal and self._drawn:
            self.stream.write("\n")
            self.stream.flush()

    def due(self, steps: int = 1) -> bool:
        """Whether the next `update` of so many steps will be shown, so that costly text is made only then."""
        if _listener is not None:
            return False
        return time.monotonic() - self._shown >= self.interval or self.done + steps >= self.total

    def update(self, text: str = "", steps: int = 1) -> None:
        """Counts `steps` more; `text` is appended, e.g. the loss."""
        show = self.due(steps)
        self.done += steps
        if _listener is not None:
            _listener(self.label, self.done, self.total)
        if not show or not self.total:
            return
        self._shown = now = time.monotonic()
        elapsed = now - self._start
        per_step = elapsed / max(self.done, 1)
        remaining = max(self.total - self.done, 0)
        left = format_duration(per_step * remaining)
        if self.later_steps or self.later_seconds or self.later_seconds is None:
            whole = per_step * (remaining + self.later_steps) + (self.later_seconds or 0.0)
            without = ", validation not counted" if self.later_seconds is None else ""
            left += f" ({format_duration(whole)} to the end of the run{without})"
        share = self.done / max(self.total, 1)
        line = f"{self.label}: {self.done}/{self.total} ({share:.0%}), {per_step:.3f} s/step, ETA {left}"
        line = f"{line}, {text}" if text else line
        if self.terminal:
            filled = int(20 * min(share, 1.0))
            self.stream.write(f"\r\033[K[{'#' * filled}{'.' * (20 - filled)}] {line}")
            self._drawn = True
        else:
            self.stream.write(f"{line}\n")
        self.stream.flush()
