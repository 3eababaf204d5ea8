"""What becomes of a run of several machines when one of its workers dies: the others end, in one line.

Collective operations fail in all workers some seconds after one has died (TensorFlow's coordination service
notices it). A worker that is busy without the others, with a long validation, is told by a thread that asks
the service.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import run_checkpoints
from tf_pose3d.training.distribution import task_index, worker_addresses

__all__ = ["PeerWatch", "ending_with_peers"]

# Seconds between two questions, and how long collectives get to fail by themselves.
_INTERVAL, _GRACE = 5.0, 15.0
# What collective operations fail with.
_LOSSES = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


class PeerWatch:
    """Asks whether all workers are there, and interrupts the main thread where one is not.

    Args:
        folder: Of the checkpoints, for the message.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = threading.Event()
        self._lost: set[int] = set()
        self._previous: Any = None

    def __enter__(self) -> PeerWatch:
        # Handlers can be set in the main thread only.
        if len(worker_addresses()) > 1 and threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGUSR2, self._interrupt)
            threading.Thread(target=self._watch, name="peers", daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self._previous is not None:
            signal.signal(signal.SIGUSR2, self._previous)
            self._previous = None

    def stop(self) -> None:
        """From here on this worker needs no other: they may end."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self._lost = _lost_workers()
            if self._lost:
                if not self._ended.wait(_GRACE):
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
                return

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._lost and not self._ended.is_set():
            raise Pose3DError(_message(self._lost, self._folder))
        if callable(self._previous):
            self._previous(number, frame)


def _lost_workers() -> set[int]:
    """Workers that the coordination service misses."""
    from tensorflow.python.eager import context

    try:
        states = context.context().get_task_states([("worker", len(worker_addresses()))])
    except tf.errors.OpError:
        # The first worker holds the service.
        return {0} - {task_index()}
    return {number for number, state in enumerate(states) if state is not None}


def _message(lost: set[int], folder: Path) -> str:
    addresses = worker_addresses()
    names = [f"worker {number} ({addresses[number]})" for number in sorted(lost) if number < len(addresses)]
    who = " and ".join(names) or "a worker"
    kept = run_checkpoints(folder)
    goes_on = (
        f"{kept[0]} is kept, and --continue_training True goes on from it, with as many workers as TF_CONFIG "
        "names then"
        if kept
        else "there is no checkpoint yet"
    )
    return f"{who} of this run has ended or cannot be reached, and so this one ends: {goes_on}"


@contextlib.contextmanager
def ending_with_peers(folder: Path) -> Iterator[PeerWatch]:
    """Within the block, the end of another worker is one line; does nothing where there is no other.

    Args:
        folder: Of the checkpoints, for the message.

    Raises:
        Pose3DError: Another worker has ended.
    """
    try:
        with PeerWatch(folder) as watch:
            yield watch
    except _LOSSES as error:
        text = str(error)
        if len(worker_addresses()) < 2 or not re.search("[Cc]ollective|/job:worker|heartbeat", text):
            raise
        lost = {int(number) for number in re.findall(r"/job:worker\S*/task:(\d+)", text)} - {task_index()}
        raise Pose3DError(_message(lost, folder)) from None
