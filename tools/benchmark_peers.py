"""This package's networks beside the original releases, each side in a process of its own.

    python tools/benchmark_peers.py --original VideoPose3D=../VideoPose3D --original SemGCN=../SemGCN
    python tools/benchmark_peers.py --list

A row is a training step, a forward pass on windows that are ready, or the evaluation of a whole recording.
Originals are clones of the releases' repositories, which are left as they are; what they need is stood in
for or said, and those that cannot run are named with the reason. PyTorch's run as they are and with
`torch.compile`. Both sides are given the same inputs, batches, cores and threads, have random weights, stay
up and do the work in turns, in another order each round. Shown are median and quartiles over the rounds; a
side is ahead where its quartiles and the other's do not overlap. Beside this package's times stand the
operations of its products, their rate, and the rate that one large product alone reaches. `--clock
processor` counts the time that all threads were on a core, which a busy machine changes less, and has
PyTorch's threads sleep where they would spin for the other's work; with `--threads 1` nothing waits at all.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent
# Neighbours of this file; the package itself where it is run as a file of a clone.
sys.path[:0] = [str(TOOLS)] if __package__ else [str(TOOLS), str(TOOLS.parent)]

from original_networks import ORIGINALS, obstacle, parse_originals
from peer_works import WORKS, Work
from prettytable import PrettyTable

SIDES = ("ours", "mixed", "original", "compiled")
TITLES = {
    "ours": "this package",
    "mixed": "this package, bfloat16",
    "original": "the release",
    "compiled": "the release, torch.compile",
}
_TENSORFLOW = ("Uplift", "LCN")
# What a child writes before an answer, so that nothing that a library prints is taken for one.
_MARK = "\x01"
# Threads of a side that has answered may still spin for work.
_PAUSE = 0.1


class SideFailed(Exception):
    """A side ended instead of answering; its text says why."""


class Side:
    """A process that does one side of a row whenever it is asked to."""

    def __init__(self, side: str, work: str, folder: Path | None, threads: int, spin: bool) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        this = ["-m", f"{__package__}.{Path(__file__).stem}"] if __package__ else [__file__]
        command = [sys.executable, *this, "--side", side, "--works", work, "--threads", str(threads)]
        if side in ("original", "compiled"):
            command += ["--original", f"{WORKS[work].original}={folder}"]
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = str(threads)
        if not spin:
            environment["OMP_WAIT_POLICY"] = "PASSIVE"
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )

    def wait(self) -> dict[str, float]:
        """Once the side is built and warm: `poses` that a call gives."""
        return self._answer()

    def rates(self) -> dict[str, float]:
        """Of this package's side, see `peer_ours.Started.rates`."""
        return self._ask("rates")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(_MARK):
                return json.loads(line[1:])
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        raise SideFailed(lines[-1].strip() if lines else f"ended with {self._process.returncode}")

    def measure(self, seconds: float) -> dict[str, float]:
        """Seconds of a call by both clocks, over as many calls as fill `seconds`."""
        return self._ask(str(seconds))

    def _ask(self, what: str) -> dict[str, float]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what the process wrote at its end says more
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def serve(side: str, work: Work, folder: Path | None, threads: int) -> None:
    """The child: builds its side, and measures it for each line that it reads."""
    cores = sorted(os.sched_getaffinity(0))[:threads] if hasattr(os, "sched_getaffinity") else []
    if cores:
        os.sched_setaffinity(0, cores)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if side in ("ours", "mixed"):
        import peer_ours

        started = peer_ours.start(work, threads, side == "mixed")
        call, poses = started.call, started.poses
    else:
        import peer_originals

        assert folder is not None
        call, poses = peer_originals.start(work, folder, threads, side == "compiled")
    for _ in range(2):
        call()

    def say(**values: Any) -> None:
        answers.write(f"{_MARK}{json.dumps(values)}\n")
        answers.flush()

    say(poses=poses)
    for line in sys.stdin:
        if line.strip() == "rates":
            say(**started.rates())
            continue
        least, calls = float(line), 0
        begin, used = time.perf_counter(), time.process_time()
        while True:
            call()
            calls += 1
            wall = time.perf_counter() - begin
            if wall >= least:
                break
        say(wall=wall / calls, processor=(time.process_time() - used) / calls, calls=calls)


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def verdict(ours: list[float], theirs: list[float]) -> str:
    """Whether this package is ahead or behind beyond the spread of both."""
    if quartiles(ours)[2] < quartiles(theirs)[0]:
        return "ahead"
    return "behind" if quartiles(ours)[0] > quartiles(theirs)[2] else "level"


def measure(sides: dict[str, Side], options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Seconds of a call in each round: side -> clock -> rounds."""
    times: dict[str, dict[str, list[float]]] = {side: {"wall": [], "processor": []} for side in sides}
    for number in range(options.rounds):
        order = list(sides)
        for side in order if number % 2 == 0 else reversed(order):
            time.sleep(_PAUSE)
            answer = sides[side].measure(options.seconds)
            for clock, values in times[side].items():
                values.append(answer[clock])
    return times


def rate_of(side: dict[str, float], times: list[float]) -> str:
    """Operations of the products of a call, and their rate beside that of one large product."""
    if "flop" not in side:
        return ""
    rate = side["flop"] / quartiles(times)[1]
    return f"{side['flop'] / 1e9:.3g}, {rate / 1e9:.0f} of {side['peak'] / 1e9:.0f}"


def rows_of(result: dict[str, Any], clock: str) -> list[list[str]]:
    """Lines of the table: one for each side that this package is held against, and one for bfloat16."""
    times = {side: values[clock] for side, values in result["times"].items()}
    work = WORKS[result["work"]]

    def shown(values: list[float]) -> str:
        low, middle, high = (1000 * value for value in quartiles(values))
        digits = 1 if middle < 1000 else 0
        return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"

    lines = []
    own = [side for side in ("ours", "mixed") if side in times]
    for mine in own:
        for theirs in [side for side in ("original", "compiled") if side in times] or [""]:
            cells = [result["work"], str(work.size), TITLES[mine], shown(times[mine])]
            cells.append(rate_of(result["sides"][mine], times[mine]))
            if not theirs:
                lines.append([*cells, "", "", "", ""])
                continue
            ratios = [b / a for a, b in zip(times[mine], times[theirs], strict=True)]
            low, middle, high = quartiles(ratios)
            lines.append(
                [
                    *cells,
                    TITLES[theirs],
                    shown(times[theirs]),
                    f"{middle:.2f} ({low:.2f} to {high:.2f})",
                    verdict(times[mine], times[theirs]),
                ]
            )
    return lines


def processor() -> str:
    """Its name, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> str:
    """Of what computes."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for package in ("tensorflow", "keras", "torch"):
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)


def run_row(
    name: str, folder: Path | None, options: argparse.Namespace
) -> tuple[dict[str, Any] | None, list[str]]:
    """(what was measured, lines on what could not be)."""
    work, said = WORKS[name], []
    why = obstacle(work.original, folder)
    if why and not options.alone:
        return None, [f"{name}: not measured: {why}"]
    sides: dict[str, Side] = {}
    try:
        for side in SIDES:
            if side == "mixed" and not options.mixed_precision:
                continue
            if side in ("original", "compiled") and (why or side not in options.against):
                continue
            if side == "compiled" and work.original in _TENSORFLOW:
                continue
            sides[side] = Side(side, name, folder, options.threads, options.clock == "wall")
        first: dict[str, dict[str, float]] = {}
        for side in list(sides):
            try:
                first[side] = sides[side].wait()
            except SideFailed as failure:
                said.append(f"{name}: {TITLES[side]} does not run: {failure}")
                sides.pop(side).close()
        if "ours" not in sides or (len(sides) == 1 and not options.alone):
            return None, said
        for side in [one for one in ("ours", "mixed") if one in sides]:
            # Where nothing else is being built any more.
            first[side].update(sides[side].rates())
        result: dict[str, Any] = {"work": name, "sides": first, "times": measure(sides, options)}
    except SideFailed as failure:
        return None, [*said, f"{name}: ended within the rounds: {failure}"]
    finally:
        for process in sides.values():
            process.close()
    poses = {side: values["poses"] for side, values in first.items()}
    if len(set(poses.values())) > 1:
        said.append(f"{name}: poses of a call differ: {poses}")
    return result, said


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--original",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help=f"a clone of a release, again for each; {', '.join(ORIGINALS)}",
    )
    parser.add_argument(
        "--works", nargs="+", choices=list(WORKS), metavar="ROW", help="default: all short ones; see --list"
    )
    parser.add_argument("--list", action="store_true", help="print the rows and what each release needs")
    parser.add_argument(
        "--against", nargs="+", choices=("original", "compiled"), default=["original", "compiled"]
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: 7")
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="least of a side's turn (default: 1)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, metavar="N", help="and cores, of each side (default: 2)"
    )
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    parser.add_argument(
        "--mixed_precision", action="store_true", help="measure this package in bfloat16, too"
    )
    parser.add_argument(
        "--alone", action="store_true", help="measure this package where a release cannot run"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="every round, too")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads: at least 1")
    return options


def print_rows() -> None:
    """The rows, and what is done to each release."""
    table = PrettyTable(
        ["row", "release", "config", "what", "size", "release's own size", "only by name"], align="l"
    )
    for name, work in WORKS.items():
        marks = ["yes" if mark else "" for mark in (work.release, work.long)]
        table.add_row([name, work.original, work.config, work.kind, work.size, *marks])
    print(table)
    for name, original in ORIGINALS.items():
        needs = f"; needs {', '.join(original.needs)}" if original.needs else ""
        why = original.obstacle or (
            f"does not hold {', '.join(original.missing)}" if original.missing else ""
        )
        rest = "".join(f"; {part}" for part in (original.changed, why) if part)
        print(f"{name}: github.com/{original.repository}{needs}{rest}")


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if options.list:
        print_rows()
        return
    folders = parse_originals(options.original)
    if options.side:
        work = WORKS[options.works[0]]
        serve(options.side, work, folders.get(work.original), options.threads)
        return
    names = options.works or [name for name, work in WORKS.items() if not work.long]
    head = f"{processor()}, {options.threads} cores and threads, {versions()}, {datetime.date.today()}"
    print(f"{head}; ms a call, {options.clock} clock, median and quartiles of {options.rounds} rounds")
    columns = ["row", "size", "who", "ms", "GFLOP, GFLOP/s", "against", "its ms", "times as fast", "verdict"]
    table = PrettyTable(columns, align="r")
    results, remarks = [], []
    for name in names:
        result, said = run_row(name, folders.get(WORKS[name].original), options)
        for line in said:
            print(line, flush=True)
        remarks += said
        if result is None:
            continue
        results.append(result)
        for row in rows_of(result, options.clock):
            table.add_row(row)
            print(" | ".join(row), flush=True)
        if WORKS[name].note:
            remarks.append(f"{name}: {WORKS[name].note}")
        if options.json is not None:
            held = {"machine": head, "clock": options.clock, "rounds": results, "remarks": remarks}
            options.json.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    print(table)
    for name in dict.fromkeys(WORKS[result["work"]].original for result in results):
        if ORIGINALS[name].changed:
            remarks.append(f"{name}: {ORIGINALS[name].changed}")
    print("\n".join(remarks))


if __name__ == "__main__":
    main()
