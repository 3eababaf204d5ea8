"""The process of one worker: pickles come in on standard input, and go out on what standard output was.

It ends as soon as the run that started it does.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import time
from typing import IO, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.folder.task import do_assignment

__all__ = ["main"]

# Seconds between two words on how far a file is.
_INTERVAL = 0.5


def main() -> None:
    """Runs until standard input ends."""
    # Ctrl-C reaches all processes of a terminal; the run decides what becomes of this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    commands, answers = _own_streams()
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(commands, inbox), daemon=True).start()

    def tell(*message: object) -> None:
        try:
            pickle.dump(message, answers)
            answers.flush()
        except OSError:
            os._exit(1)

    try:
        work = inbox.get().start()
    except Pose3DError as error:
        tell("unable", " ".join(str(error).split()))
        return
    tell("ready", None)
    while True:
        last = 0.0

        def listen(label: str, done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last >= _INTERVAL:
                last = time.monotonic()
                tell("stage", (label, done, total))

        tell("done", do_assignment(work, inbox.get(), listen))


def _own_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes of the run; what libraries print goes to standard error."""
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return commands, answers


def _receive(commands: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            inbox.put(pickle.load(commands))
        except (EOFError, OSError):
            # The run has ended: nobody waits for what this process does.
            os._exit(0)
