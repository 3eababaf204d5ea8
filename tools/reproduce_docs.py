"""Reruns the figures of the documentation and prints them beside what the pages allow.

    python tools/reproduce_docs.py                 # those that do not depend on the machine; minutes
    python tools/reproduce_docs.py --speeds        # speeds as well, on an idle machine
    python tools/reproduce_docs.py --pages results.md models.md
    python tools/reproduce_docs.py --check         # runs nothing: has every figure a command?

`docs/figures.yaml` has every section with measured figures: a command of ten minutes at most and the range
in which its numbers lie over seeds and machines, or why there is none. The program fails where a section is
missing there, where a command fails, and where a number is outside its range.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from prettytable import PrettyTable

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
# Minutes that a figure may take.
LONGEST = 10
# A number with the unit of something measured.
_FIGURE = re.compile(
    r"(?<![\w.])\d[\d,.]*\s?(?:mm|ms|s/step|poses/s|GFLOP(?:/s)?|GB|MB|seconds|minutes|s)\b(?!\s*\()"
)


def registry() -> dict[str, Any]:
    """What `docs/figures.yaml` holds."""
    return yaml.safe_load((DOCS / "figures.yaml").read_text(encoding="utf-8"))


def sections_with_figures() -> list[tuple[str, str]]:
    """(page, heading) of every section of the pages that has a measured figure, code left out."""
    found: dict[tuple[str, str], None] = {}
    for path in sorted(DOCS.glob("*.md")):
        heading, code = "", False
        for line in path.read_text(encoding="utf-8").splitlines():
            code ^= line.startswith("```")
            if code:
                continue
            if line.startswith("#"):
                heading = line.lstrip("# ")
            elif _FIGURE.search(line):
                found[path.name, heading] = None
    return list(found)


def problems(held: dict[str, Any]) -> list[str]:
    """What is wrong with the registry: figures without a command, commands that cannot be."""
    told = {(one["page"], one["section"]) for one in [*held["figures"], *held["exempt"]]}
    wrong = [f"{page}: {section}: figures without a command" for page, section in sections_with_figures()
             if (page, section) not in told]  # fmt: skip
    headings = {
        (path.name, line.lstrip("# "))
        for path in DOCS.glob("*.md")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }
    wrong += [f"{page}: no section {section!r}" for page, section in sorted(told - headings)]
    for one in held["figures"]:
        where = f"{one['page']}: {one['section']}"
        program = shlex.split(one["command"])[1]
        if not (REPOSITORY / program).is_file():
            wrong.append(f"{where}: no program {program}")
        if one["minutes"] > LONGEST:
            wrong.append(f"{where}: {one['minutes']} minutes, expected at most {LONGEST}")
        if not one["values"]:
            wrong.append(f"{where}: no value to compare")
        wrong += [
            f"{where}: {value['what']}: low is above high"
            for value in one["values"]
            if value["low"] > value["high"]
        ]
    return wrong


def measured(value: dict[str, Any], output: str) -> float | None:
    """The number that a value's pattern finds in a program's output; None: none."""
    found = re.findall(value["pattern"], output, re.MULTILINE)
    place = value.get("number", 1) - 1
    return float(found[place].replace(",", "")) if place < len(found) else None


def rerun(figure: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Runs a figure's command: (what, range, number, whether it lies in it) of each value."""
    with tempfile.TemporaryDirectory() as folder:
        words = shlex.split(figure["command"].replace("{folder}", folder))
        words[0] = sys.executable
        done = subprocess.run(
            words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60 * 3 * LONGEST, check=False
        )
    output = done.stdout + done.stderr
    rows = []
    for value in figure["values"]:
        allowed = f"{value['low']:g} to {value['high']:g}"
        number = None if done.returncode else measured(value, output)
        if number is None:
            what = f"failed, exit code {done.returncode}" if done.returncode else "not in the output"
            rows.append((value["what"], allowed, what, False))
            continue
        inside = value["low"] <= number <= value["high"]
        nearest = min(max(number, value["low"]), value["high"])
        off = "" if inside else f" ({number - nearest:+.3g})"
        rows.append((value["what"], allowed, f"{number:g}{off}", inside))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", nargs="+", metavar="PAGE", help="only these, e.g. results.md")
    parser.add_argument("--speeds", action="store_true", help="also what belongs to an idle machine")
    parser.add_argument("--check", action="store_true", help="only whether every figure has a command")
    arguments = parser.parse_args()
    held = registry()
    wrong = problems(held)
    for line in wrong:
        print(line)
    if arguments.check:
        return int(bool(wrong))
    table = PrettyTable(["page", "section", "figure", "documented", "now", "", "minutes"])
    table.align = "l"
    good = not wrong
    for figure in held["figures"]:
        if arguments.pages and figure["page"] not in arguments.pages:
            continue
        if figure.get("speed") and not arguments.speeds:
            continue
        print(f"{figure['page']}: {figure['command']}", flush=True)
        begin = time.monotonic()
        for row in rerun(figure):
            minutes = f"{(time.monotonic() - begin) / 60:.1f}"
            table.add_row(
                [figure["page"], figure["section"], *row[:3], "ok" if row[3] else "DIFFERS", minutes]
            )
            good = good and row[3]
    print(table)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
