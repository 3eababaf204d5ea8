"""Workers on a Ray cluster: an actor each, on whichever machine has room for it.

Files go to actors one by one, as each gets free, so that a slow machine takes fewer. An actor that dies, or
whose machine does, is made anew where there is room.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Sequence
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra
from tf_pose3d.inference.folder.engine import Died, Done, Event, Stage
from tf_pose3d.inference.folder.task import (
    Assignment,
    Report,
    Task,
    Work,
    do_assignment,
    package_path,
    thread_environment,
)

__all__ = ["RayEngine"]

# Actors that die before they are ready, one after another, until the run gives up.
_MOST_FALSE_STARTS = 3
# Seconds that a cluster gets to answer.
_ANSWER = 10.0
# Seconds between two questions to the actors how far they are.
_ASK_EVERY = 2.0


class _Lifter:
    """What an actor holds."""

    def __init__(self, task: Task) -> None:
        self._work: Work | None = None
        self._stage: tuple[str, int, int] | None = None
        self._unable = ""
        try:
            self._work = task.start()
        except Pose3DError as error:
            self._unable = " ".join(str(error).split())

    def unable(self) -> str:
        """Why no lifter can be made; empty: it is ready."""
        return self._unable

    def do(self, assignment: Assignment) -> Report:
        """Lifts one input."""
        assert self._work is not None
        self._stage = None

        def listen(label: str, done: int, total: int) -> None:
            self._stage = (label, done, total)

        return do_assignment(self._work, assignment, listen)

    def stage(self) -> tuple[str, int, int] | None:
        """How far it is."""
        return self._stage


class _Actor:
    """One actor as the run sees it.

    Attributes:
        handle: Ray's.
        waiting: What it was asked last, until it answers.
        assignment: The file that it has.
        ready: Its lifter is made.
    """

    def __init__(self, handle: Any, waiting: Any) -> None:  # noqa: ANN401
        self.handle, self.waiting = handle, waiting
        self.assignment: Assignment | None = None
        self.ready = False
        self.asked: Any = None


def _require_answer(address: str) -> None:
    """Finds a cluster that is not there in seconds, for which Ray takes minutes.

    Args:
        address: As RAY_ADDRESS has it: `host:port`, `ray://host:port`; others are Ray's to understand.

    Raises:
        Pose3DError: Nobody listens there.
    """
    found = re.fullmatch(r"(?:ray://)?([^:/]+):([0-9]{1,5})", address)
    if found is None:
        return
    try:
        socket.create_connection((found[1], int(found[2])), timeout=_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise Pose3DError(f"--engine ray: no cluster answers at RAY_ADDRESS {address}: {error}") from None


class RayEngine:
    """So many actors on the cluster that RAY_ADDRESS names, or of this machine, else on one of its own.

    Args:
        task: Makes the lifters.
        count: Actors; None: as many as the cluster has processors for.
        threads: Of each lifter, and processors of each actor.
        most: No more actors than there are files.

    Raises:
        Pose3DError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, task: Task, count: int | None, threads: int, most: int) -> None:
        require_extra("ray", "Ray", "ray", "--engine ray")
        _require_answer(os.environ.get("RAY_ADDRESS", ""))
        # Nothing is to be told to Ray's makers unasked.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray = ray
        self._mine = not ray.is_initialized()
        if self._mine:
            try:
                ray.init(log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                reason = " ".join(str(error).split())[:200]
                raise Pose3DError(f"--engine ray: no cluster: {reason}") from None
        processors = int(ray.cluster_resources().get("CPU", 0))
        self.count = min(count or max(processors // threads, 1), most)
        paths = [package_path(), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {**thread_environment(threads), "PYTHONPATH": os.pathsep.join(paths)}
        # A second thread tells how far the first one is.
        self._class = ray.remote(_Lifter).options(
            num_cpus=threads, max_concurrency=2, max_restarts=0, runtime_env={"env_vars": variables}
        )
        self._task = ray.put(task)
        self._false_starts = 0
        self._asked = time.monotonic()
        self._actors = [self._start() for _ in range(self.count)]

    def _start(self) -> _Actor:
        handle: Any = self._class.remote(self._task)
        return _Actor(handle, handle.unable.remote())

    def idle(self) -> int:
        return sum(actor.ready and actor.waiting is None for actor in self._actors)

    def submit(self, assignment: Assignment) -> None:
        actor = next(held for held in self._actors if held.ready and held.waiting is None)
        actor.assignment = assignment
        actor.waiting = actor.handle.do.remote(assignment)

    def abandon(self, assignment: Assignment) -> None:
        for actor in [held for held in self._actors if held.assignment == assignment]:
            self._actors.remove(actor)
            self._ray.kill(actor.handle)
            self._actors.append(self._start())

    def wait(self, seconds: float) -> Sequence[Event]:
        waiting = [actor.waiting for actor in self._actors if actor.waiting is not None]
        ready, _ = self._ray.wait(waiting, num_returns=1, timeout=seconds)
        stages = self._stages()
        if not ready:
            return stages
        answered, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        events = [self._answer(actor) for actor in list(self._actors) if actor.waiting in answered]
        return stages + [event for event in events if event is not None]

    def _answer(self, actor: _Actor) -> Event | None:
        """What an actor's answer means."""
        held = actor.assignment
        try:
            answer = self._ray.get(actor.waiting)
        except self._ray.exceptions.RayActorError as error:
            return self._replace(actor, error)
        actor.waiting = actor.assignment = actor.asked = None
        if held is not None:
            return Done(held, answer)
        if answer:
            raise Pose3DError(answer)
        actor.ready, self._false_starts = True, 0
        return None

    def _replace(self, actor: _Actor, error: Exception) -> Event | None:
        how = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        self._actors.remove(actor)
        # One that only could not be reached must not go on beside its successor.
        self._ray.kill(actor.handle)
        if not actor.ready:
            self._false_starts += 1
            if self._false_starts >= _MOST_FALSE_STARTS:
                raise Pose3DError(f"Ray's actors end before they are ready: {how[:300]}")
        self._actors.append(self._start())
        return None if actor.assignment is None else Died(actor.assignment, how[:200])

    def _stages(self) -> list[Event]:
        """Asks the actors now and then how far they are; those that do not answer in time say nothing."""
        found: list[Event] = []
        due = time.monotonic() - self._asked >= _ASK_EVERY
        if due:
            self._asked = time.monotonic()
        for actor in self._actors:
            if actor.assignment is None:
                continue
            if actor.asked is not None and self._ray.wait([actor.asked], timeout=0)[0]:
                try:
                    stage = self._ray.get(actor.asked)
                except self._ray.exceptions.RayActorError:
                    # Its file's answer will say so.
                    stage = None
                actor.asked = None
                if stage is not None:
                    found.append(Stage(actor.assignment, *stage))
            if actor.asked is None and due:
                actor.asked = actor.handle.stage.remote()
        return found

    def close(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors = []
        if self._mine:
            self._ray.shutdown()
