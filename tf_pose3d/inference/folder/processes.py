"""Workers on this machine: a process each, which is started anew when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.folder.engine import Died, Done, Event, Stage
from tf_pose3d.inference.folder.task import Assignment, Task, package_path, thread_environment

__all__ = ["ProcessEngine", "usable_cores"]

# Workers that die before they are ready, one after another, until the run gives up.
_MOST_FALSE_STARTS = 3
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from tf_pose3d.inference.folder.worker import main; main()"
)


def usable_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


class _Worker:
    """One process and the threads that listen to it."""

    def __init__(self, task: bytes, environment: dict[str, str], inbox: queue.SimpleQueue[Any]) -> None:
        # The package as it is here, wherever the process is started.
        paths = [package_path(), *sys.path]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, json.dumps(paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.assignment: Assignment | None = None
        self.ready = False
        self._last_words: deque[bytes] = deque(maxlen=20)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        listeners = (
            threading.Thread(target=self._listen, args=(self.process.stdout, inbox), daemon=True),
            threading.Thread(target=self._keep_words, args=(self.process.stderr,), daemon=True),
        )
        for thread in listeners:
            thread.start()
        self._listeners = listeners
        self.tell(task)

    def tell(self, content: bytes) -> None:
        """Sends a pickle; a worker that is dead is noticed by its listener."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(content)
            self.process.stdin.flush()

    def _listen(self, stream: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
        while True:
            try:
                message = pickle.load(stream)
            except (EOFError, OSError, ValueError, pickle.UnpicklingError):
                inbox.put((self, ("ended", None)))
                return
            inbox.put((self, message))

    def _keep_words(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._last_words.append(line)

    def end(self) -> str:
        """Ends the process, and says how it ended."""
        self.process.kill()
        code = self.process.wait()
        for thread in self._listeners:
            thread.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if code < 0:
            try:
                how = f"killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"killed by signal {-code}"
        else:
            how = f"ended with code {code}"
        words = [line.decode("utf-8", "replace").strip() for line in self._last_words]
        said = next((line for line in reversed(words) if line), "")
        return f"{how} ({said[:200]})" if said else how


class ProcessEngine:
    """So many processes.

    Args:
        task: Makes the lifters.
        count: Processes.
        threads: Of each lifter.
    """

    def __init__(self, task: Task, count: int, threads: int) -> None:
        self.count = count
        self._task = pickle.dumps(task)
        self._environment = {**os.environ, **thread_environment(threads)}
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._false_starts = 0
        self._workers = [self._start() for _ in range(count)]

    def _start(self) -> _Worker:
        return _Worker(self._task, self._environment, self._inbox)

    def idle(self) -> int:
        return sum(worker.ready and worker.assignment is None for worker in self._workers)

    def submit(self, assignment: Assignment) -> None:
        worker = next(held for held in self._workers if held.ready and held.assignment is None)
        worker.assignment = assignment
        worker.tell(pickle.dumps(assignment))

    def abandon(self, assignment: Assignment) -> None:
        for worker in [held for held in self._workers if held.assignment == assignment]:
            self._workers.remove(worker)
            worker.end()
            self._workers.append(self._start())

    def wait(self, seconds: float) -> Sequence[Event]:
        events: list[Event] = []
        try:
            message = self._inbox.get(timeout=seconds)
            while True:
                event = self._understand(*message)
                events += [] if event is None else [event]
                message = self._inbox.get_nowait()
        except queue.Empty:
            return events

    def _understand(self, worker: _Worker, message: tuple[str, Any]) -> Event | None:
        kind, content = message
        if worker not in self._workers:
            return None
        if kind == "ready":
            worker.ready, self._false_starts = True, 0
            return None
        if kind == "unable":
            raise Pose3DError(content)
        held = worker.assignment
        if kind == "stage":
            return None if held is None else Stage(held, *content)
        if kind == "done":
            worker.assignment = None
            return None if held is None else Done(held, content)
        self._workers.remove(worker)
        how = worker.end()
        if not worker.ready:
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise Pose3DError(f"workers end before they are ready: {how}")
        self._workers.append(self._start())
        return None if held is None else Died(held, how)

    def close(self) -> None:
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end()
