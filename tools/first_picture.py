"""The time from a fresh virtual environment to the first picture.

    python tools/first_picture.py [--extra render] [--folder DIR]

A copy of the clone is installed with pip and the demo is run, as a newcomer does it: the environment, what
the package depends on (fetching and unpacking it is pip's and the network's work), the package itself, and
`tf-pose3d-inference --demo` in an empty folder with an empty cache of compiled operations, until its pictures
are there. Each step is timed on the wall and by the processor time of its processes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from prettytable import PrettyTable

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURES = (".gif", ".html", ".png", ".mp4")
# What counts as this package's own.
OWN = ("package", "demo")
# Prints what an installed distribution requires with some extras.
_REQUIRED = (
    "import sys; from pip._vendor.packaging.requirements import Requirement as R; "
    "from importlib.metadata import distribution as d; "
    "rs = [R(text) for text in d('tf_pose3d').requires or ()]; "
    "print(*[f'{r.name}{[chr(91) + chr(44).join(r.extras) + chr(93), str()][not r.extras]}{r.specifier}' "
    "for r in rs if r.marker is None or any(r.marker.evaluate({'extra': e}) for e in ['', *sys.argv[1:]])], "
    "sep=chr(10))"
)


def timed(command: Sequence[str | Path], **options) -> tuple[float, float, str]:
    """(seconds on the wall, of processor time, what was printed) of a command; exits where it fails."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(map(str, command))}: exit code {done.returncode}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, done.stdout


def copied(folder: Path) -> Path:
    """A copy of what git tracks: setuptools builds in place."""
    listed = subprocess.run(
        ["git", "-C", REPOSITORY, "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if listed.returncode:
        sys.exit(f"{REPOSITORY}: no clone of the repository, which this tool installs from")
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--extra", nargs="*", default=[], metavar="NAME", help="extras to install, as render")
    parser.add_argument("--folder", type=Path, help="to work in, kept (default: a temporary one)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as held:
        folder = (arguments.folder or Path(held)).resolve()
        if (folder / "venv").exists():
            parser.error(f"--folder {folder}: has a virtual environment already, expected none")
        clone, away = copied(folder / "clone"), folder / "empty"
        away.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["XDG_CACHE_HOME"] = str(folder / "cache")
        python = folder / "venv" / "bin" / "python"
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        pip_environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        steps = {"environment": timed([sys.executable, "-m", "venv", folder / "venv"])}
        steps["package"] = timed([*pip, "--no-deps", clone], env=pip_environment)
        required = timed([python, "-c", _REQUIRED, *arguments.extra])[2].split("\n")
        steps["dependencies"] = timed([*pip, *filter(None, required)], env=pip_environment)
        demo = [python.parent / "tf-pose3d-inference", "--demo"]
        steps["demo"] = timed(demo, cwd=away, env=environment)
        pictures = [path.name for path in sorted(away.iterdir()) if path.suffix in PICTURES]
        table = PrettyTable(["step", "s", "s of processor time", "whose"], align="r")
        for name, (wall, used, _) in steps.items():
            table.add_row([name, f"{wall:.1f}", f"{used:.1f}", "ours" if name in OWN else "pip's"])
        wall, used = (sum(steps[name][0] for name in OWN), sum(steps[name][1] for name in OWN))
        print(table)
        print(f"own work: {wall:.1f} s, {used:.1f} s of processor time; pictures: {', '.join(pictures)}")
        if not pictures:
            sys.exit("the demo wrote no picture")


if __name__ == "__main__":
    main()
