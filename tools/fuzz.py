"""Changes valid files of every kind that this package reads, and counts what the readers make of them.

    python tools/fuzz.py --minutes 5 [--seed 0] [--readers COCO,PyTorch] [--keep FOLDER]

A change is one of bytes (flips, cuts, copies, odd tokens) or of structure (odd values, lost and doubled
parts, written anew with right checksums). Right is: the file's content, or one clear line. The table counts
per reader: accepted; refused in one line; tracebacks, which warnings of numpy and dying processes count as;
files that take over ten seconds; those that take over a gigabyte; and wrong, which is a message without the
file's name or an accepted file of which something was read that it does not say. Exits with 1 unless the last
four columns are 0. See docs/reliability.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

_TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(_TOOLS)] if __package__ else [str(_TOOLS), str(_TOOLS.parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from fuzzing.reader import COLUMNS

# Seconds of its own work, or of waiting, after which a reader that does not answer is ended: a quick one may
# have to wait on a machine that does much else.
_MOST_WORK, _PATIENCE = 20, 300
_GIGABYTE_KB = 1 << 20


def _memory_kb(field: str) -> int:
    """A field of this process's status, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0


def _serve(pipe: Connection, folder: str, names: list[str]) -> None:
    """Runs trials as the parent asks for them; its own process, which may die of one."""
    from fuzzing.reader import Trial
    from fuzzing.table import READERS

    # What C libraries write about damaged files would bury the findings.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    trials = {}
    place = Path(tempfile.mkdtemp(dir=folder))
    for number, reader in enumerate(READERS):
        if reader.name in names:
            try:
                trials[reader.name] = Trial(reader, place / str(number))
            except ValueError as error:
                pipe.send(str(error))
                return
    # A reader that wants more than this gets a MemoryError, which it may tell as such.
    limit = (_memory_kb("VmSize") << 10) + (4 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("")
    while True:
        name, seed, keep = pipe.recv()
        if keep:
            trials[name].keep(Random(seed), Path(keep))
        # Sets the highest memory so far back to that of now.
        Path("/proc/self/clear_refs").write_text("5")
        before = _memory_kb("VmRSS")
        column, said = trials[name].run(Random(seed))
        if _memory_kb("VmHWM") - before > _GIGABYTE_KB:
            column = "over 1 GB"
        pipe.send((column, said))


class _Server:
    """The process that runs the trials, started anew where it has died.

    Args:
        folder: For its files.
        names: Readers that it is to know.
    """

    def __init__(self, folder: str, names: list[str]) -> None:
        self._folder, self._names = folder, names
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._folder, self._names), daemon=True)
        self._process.start()
        other.close()
        said = self._pipe.recv()
        if said:
            raise SystemExit(said)

    def run(self, name: str, seed: str, keep: str = "") -> tuple[str, str]:
        """(column, what was said) of one changed file."""
        try:
            start, before = time.monotonic(), self._work()
            self._pipe.send((name, seed, keep))
            while time.monotonic() - start < _PATIENCE and self._work() - before < _MOST_WORK:
                if self._pipe.poll(1):
                    return self._pipe.recv()
            waited, worked = time.monotonic() - start, self._work() - before
            column, said = "over 10 s", f"no answer after {waited:.0f} s, {worked:.0f} s of work"
        except (EOFError, ConnectionError):
            self._process.join()
            column, said = "traceback", f"the process died with exit code {self._process.exitcode}"
        self.close()
        self._start()
        return column, said

    def _work(self) -> float:
        """Seconds that the process has worked."""
        try:
            facts = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            raise EOFError from None
        return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=1, help="how long to go on (default: 1)")
    parser.add_argument("--files", type=int, help="end after so many files")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other changes (default: 0)")
    parser.add_argument("--readers", default="", help="parts of readers' names, with commas between them")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the files of the last four columns here")
    arguments = parser.parse_args()
    # Not before: `--help` needs none of it.
    from fuzzing.table import READERS

    wanted = arguments.readers.split(",")
    readers = [one for one in READERS if any(part.lower() in one.name.lower() for part in wanted)]
    if not readers:
        parser.error(f"--readers {arguments.readers}: no such reader; {', '.join(r.name for r in READERS)}")
    if arguments.keep:
        Path(arguments.keep).mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * arguments.minutes
    counts = {reader.name: Counter[str]() for reader in readers}
    total = turn = 0
    with tempfile.TemporaryDirectory() as folder:
        server = _Server(folder, [reader.name for reader in readers])
        while time.monotonic() < end and total < (arguments.files or sys.maxsize):
            turn += 1
            for reader in readers:
                # Slow ones take part in every n-th turn.
                if turn % round(1 / reader.share):
                    continue
                seed = f"{arguments.seed}, {reader.name}, {turn}"
                column, said = server.run(reader.name, seed)
                counts[reader.name][column] += 1
                total += 1
                if column not in COLUMNS[:2]:
                    print(f"{reader.name}, seed {seed!r}: {column}: {said}", file=sys.stderr, flush=True)
                    if arguments.keep:
                        server.run(reader.name, seed, str(Path(arguments.keep, f"{reader.name} {turn}")))
        server.close()
    print("| reader | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for name, count in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        print(f"| {name} | " + " | ".join(str(count[column]) for column in COLUMNS) + " |")
    return int(any(count[column] for count in counts.values() for column in COLUMNS[2:]))


if __name__ == "__main__":
    sys.exit(main())
