"""What a reader is to the trials: a sample, a call, and what is wrong with what it accepts."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.mutations import mutated_copy

from tf_pose3d.errors import Pose3DError

__all__ = ["COLUMNS", "Reader", "Trial"]

COLUMNS = ("accepted", "refused", "traceback", "over 10 s", "over 1 GB", "wrong")


@dataclasses.dataclass(frozen=True)
class Reader:
    """One kind of file and what reads it.

    Attributes:
        name: For the table.
        make: Writes a valid file or folder into a folder and gives its path.
        read: Reads it.
        wrong: (what was read, the file or folder) -> what no such file can say; empty where nothing is.
        share: Of the files that a quick reader gets: reading is slow.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    wrong: Callable[[Any, Path], str]
    share: float = 1.0


class Trial:
    """A reader with its sample on disk, ready for any number of changed copies.

    Args:
        reader: What is tried.
        folder: Empty, for the sample and its copy.

    Raises:
        ValueError: The unchanged sample is not accepted.
    """

    def __init__(self, reader: Reader, folder: Path) -> None:
        self.reader = reader
        (folder / "sound").mkdir(parents=True)
        (folder / "changed").mkdir()
        self._sample = reader.make(folder / "sound")
        self.copy = reader.make(folder / "changed")
        # The first time, imports are timed, too.
        self._read()
        column, said = self._read()
        if column != "accepted":
            raise ValueError(f"{reader.name}: the unchanged sample is not accepted: {said}")

    def run(self, draw: Random) -> tuple[str, str]:
        """(column, what was said) of one changed copy."""
        changed = mutated_copy(self._sample, self.copy, draw)
        try:
            return self._read()
        finally:
            self._restore(changed)

    def keep(self, draw: Random, place: Path) -> None:
        """Writes the changed copy of a run to `place`."""
        changed = mutated_copy(self._sample, self.copy, draw)
        place.write_bytes(changed.read_bytes())
        self._restore(changed)

    def _restore(self, changed: Path) -> None:
        sound = self._sample if self._sample.is_file() else self._sample / changed.relative_to(self.copy)
        changed.write_bytes(sound.read_bytes())

    def _read(self) -> tuple[str, str]:
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                # numpy's would be lines of a program's output that nobody can do anything about.
                warnings.simplefilter("error", RuntimeWarning)
                value = self.reader.read(self.copy)
            column, said = "accepted", ""
        except Pose3DError as error:
            column, said = "refused", str(error)
            # A file that is named on one line, whatever its content; long values are shortened.
            if "\n" in said or len(said) > 1500 or not said.strip():
                column, said = "wrong", f"no single line of reasonable length: {said[:300]!r}"
            elif not any(name in said for name in self._names()):
                column, said = "wrong", f"the message names no file: {said}"
        except Exception as error:  # what the readers must never let through is what is counted here
            column, said = "traceback", f"{type(error).__name__}: {error}"[:300]
        if time.process_time() - start > 10:
            return "over 10 s", said
        if column == "accepted":
            try:
                said = self.reader.wrong(value, self.copy)
            except Exception as error:  # values of a kind that can be no such file's content
                said = f"{type(error).__name__} when what was read is compared: {error}"[:300]
            column = "wrong" if said else column
        return column, said

    def _names(self) -> list[str]:
        names = [self.copy.name]
        if self.copy.is_dir():
            names += [path.name for path in self.copy.rglob("*")]
        return [*names, "line "]
