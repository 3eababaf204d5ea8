"""What stands for lifting in tests of folder runs: a file's text says what its worker shall do."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.progress import Progress


@dataclasses.dataclass(frozen=True)
class MadeUpTask:
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    suffixed: bool = False
    unable: str = ""
    stillborn: bool = False

    def start(self):
        if self.stillborn:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.unable:
            raise Pose3DError(self.unable)
        return self.work

    def work(self, assignment):
        text = Path(assignment.path).read_text()
        word, _, rest = text.partition(" ")
        stem = Path(assignment.folder) / assignment.stem
        print("libraries print what they like")
        if word == "fail":
            raise Pose3DError(f"{stem}.txt: this\nfile is bad")
        if word == "crash":
            raise IndexError("nobody expected this")
        if word == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{stem}.txt")
        if word == "nothing":
            return {}
        if word == "memory":
            raise MemoryError
        if word == "die" or (word == "once" and not Path(rest).exists()):
            if word == "once":
                Path(rest).write_text(str(os.getpid()))
            stem.with_suffix(".txt").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "pid" and not Path(rest).exists():
            # Somebody else ends this process.
            Path(rest).write_text(str(os.getpid()))
            time.sleep(100)
        if word == "hang":
            # As a decoder that waits for what never comes, after a few steps.
            with Progress(100, "detecting") as progress:
                progress.update(steps=7)
                threading.Event().wait()
        if word == "slow":
            with Progress(100, "waiting") as progress:
                for _ in range(100):
                    time.sleep(float(rest.split()[0]) / 100)
                    progress.update()
        names = [f"{stem}.txt"]
        if word == "people":
            names = [f"{stem}_{number}.txt" for number in range(int(rest))]
        for name in names:
            suffix = self.settings.get("suffix", "")
            Path(name).write_text(f"{text}{suffix} {os.environ['OMP_NUM_THREADS']}")
        return {"frames": len(text), "warnings": [f"{stem}: odd"] if word == "warn" else []}
