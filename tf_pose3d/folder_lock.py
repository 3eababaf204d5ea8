"""One run at a time in an output folder.

A run notes itself in `.run.lock` of its folder and removes the note when it ends. A note whose run is dead
does not block: where process ids mean the same to both (one machine, one boot, one container) the process is
looked up, and told from a later one of its number by when it started; elsewhere (another machine, another
container) the note counts as long as its run has touched it in the last two minutes, by the file system's own
clock.

The shards of one run share its folder: each has a note of its own, `.run.PART.lock`, and all name the same
run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["FolderLock", "hold_folder"]

_NAME, _NOTES = ".run.lock", ".run*.lock"
# Seconds between signs of life, and after how many without one a run of elsewhere counts as dead.
_BEAT, _SILENCE = 20.0, 120.0


@dataclasses.dataclass(frozen=True)
class _Note:
    """Who holds a folder.

    Attributes:
        token: Tells this run from any other.
        pid: Its process.
        started: When the process started, as its system counts.
        system: Where process ids mean the same; empty where that cannot be told.
        host: The machine's name.
        since: When the run began, for people.
        cluster: Names the run where several processes make it up: its workers, its shards; empty: one does.
    """

    token: str
    pid: int
    started: str
    system: str
    host: str
    since: str
    cluster: str

    @classmethod
    def own(cls, cluster: str) -> _Note:
        pid = os.getpid()
        return cls(
            token=secrets.token_hex(8),
            pid=pid,
            started=_start_of(pid) or "",
            system=_system(),
            host=socket.gethostname(),
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            cluster=cluster,
        )

    @classmethod
    def read(cls, path: Path) -> _Note | None:
        """The note in a file; None where there is none, or none that can be read."""
        try:
            values = json.loads(path.read_text("utf-8"))
            note = cls(**values)
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = (note.token, note.started, note.system, note.host, note.since, note.cluster)
        return note if type(note.pid) is int and all(isinstance(text, str) for text in texts) else None


def _system() -> str:
    """Names the set of processes that this one is among; empty where nothing tells."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def _start_of(pid: int) -> str | None:
    """When a process started, as the system counts; None: there is no such process, or nothing tells."""
    try:
        # The second field is the program's name in brackets, in which anything may be.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie holds nothing any more.
    return None if fields[0] in ("Z", "X") else fields[19]


def _exists(pid: int) -> bool:
    """Whether this machine has a process of that number, where nothing tells more (no /proc)."""
    if os.name != "posix" or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class FolderLock:
    """A folder that this run holds.

    Args:
        folder: An existing folder.
        cluster: See `hold_folder`.
        log: Takes a line where a dead run's note is removed.
        silence: Seconds without a sign of life after which a run of elsewhere counts as dead.
        part: Which shard of `cluster` this is, as a part of a file's name; empty: the folder is for this run
            alone.
        flag: What names the folder on the command line.

    Raises:
        Pose3DError: Another run holds it, or the note cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        cluster: str = "",
        log: Callable[[str], None] = print,
        silence: float = _SILENCE,
        part: str = "",
        flag: str = "--out_dir",
    ) -> None:
        self.path = folder / (f".run.{part}.lock" if part else _NAME)
        self._note = _Note.own(cluster)
        self._ended = threading.Event()
        with _alone(folder):
            for path in sorted(folder.glob(_NOTES)):
                held = _Note.read(path)
                if part and path not in (self.path, folder / _NAME) and held and held.cluster == cluster:
                    # Another shard of this run, living or dead.
                    continue
                owner = _living_owner(path, held, silence)
                if owner is not None:
                    raise Pose3DError(
                        f"{folder} is in use by {owner}: wait for it, end it, or give another {flag}"
                    )
                whose = "" if held is None else f" (process {held.pid} on {held.host}, since {held.since})"
                log(f"{folder}: the run that held it has ended without a word{whose}; its note is removed")
                path.unlink(missing_ok=True)
            with write_whole(self.path, "w") as file:
                json.dump(dataclasses.asdict(self._note), file)
        threading.Thread(target=self._beat, name="run lock", daemon=True).start()

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT):
            # A folder that is away for a while, over a network, is no reason to stop.
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def require(self) -> None:
        """Checks that the folder is still this run's, before something is written.

        Raises:
            Pose3DError: Another run took it, as this one gave no sign of life (a machine that was suspended).
        """
        held = _Note.read(self.path)
        if held is not None and held.token != self._note.token:
            raise Pose3DError(
                f"{self.path.parent} was taken over by process {held.pid} on {held.host} while this run gave "
                "no sign of life; nothing more is written"
            )

    def release(self) -> None:
        """Gives the folder free, if it still is this run's."""
        self._ended.set()
        held = _Note.read(self.path)
        if held is not None and held.token == self._note.token:
            self.path.unlink(missing_ok=True)


def _living_owner(path: Path, note: _Note | None, silence: float) -> str | None:
    """Describes the run that a note is of; None: it is dead."""
    quiet = _seconds_untouched(path)
    if note is None:
        # Damaged, or being written by something else.
        return "a run that cannot be told" if quiet < silence else None
    who = f"process {note.pid} on {note.host}, since {note.since}"
    if note.system and note.system == _system():
        return who if note.started and _start_of(note.pid) == note.started else None
    if quiet >= silence:
        return None
    if not note.system and note.host == socket.gethostname() and not _exists(note.pid):
        return None
    return f"{who} (last sign of life {max(quiet, 0):.0f} s ago; it counts as dead after {silence:.0f} s)"


def _seconds_untouched(path: Path) -> float:
    """Seconds since a file was touched, by the clock of its file system: machines' clocks differ."""
    probe = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
    except OSError:
        return time.time() - path.stat().st_mtime
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lets one process at a time look at a folder's note and change it, where the system can."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Network file systems without locks go without: two runs then have to start in the same moment.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def hold_folder(
    folder: Path, cluster: str = "", chief: bool = True, log: Callable[[str], None] = print
) -> Iterator[FolderLock | None]:
    """Holds an output folder for the block.

    Args:
        folder: An existing folder.
        cluster: Names the run where several processes share it, e.g. the list of its workers. They all write
            into the folder by their chief, who alone holds it; the others only see that nobody else does.
        chief: Whether this process is the chief, or the only one.
        log: Takes a line where a dead run's note is removed.

    Raises:
        Pose3DError: Another run holds it.
    """
    if not chief:
        path = folder / _NAME
        held = _Note.read(path)
        if held is not None and held.cluster != cluster:
            owner = _living_owner(path, held, _SILENCE)
            if owner is not None:
                raise Pose3DError(
                    f"{folder} is in use by {owner}: wait for it, end it, or give another --out_dir"
                )
        yield None
        return
    lock = FolderLock(folder, cluster, log)
    try:
        yield lock
    finally:
        lock.release()
