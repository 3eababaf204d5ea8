"""`tf-pose3d-run`: runs a command of one of the releases; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tf_pose3d.cli.program import run_program
from tf_pose3d.cli.scripts.script import Script, ScriptFlag
from tf_pose3d.cli.scripts.table import choose_script, releases
from tf_pose3d.cli.scripts.translation import translate
from tf_pose3d.errors import Pose3DError

__all__ = ["main", "run_release"]

_USAGE = """usage: tf-pose3d-run [--dry-run] [RELEASE] SCRIPT FLAGS...

Runs a command of one of the releases, as its README writes it, by this package's programs, and says which
command of ours that is. Flags mean what they mean in that release; --set KEY=VALUE may follow.

  --dry-run  say our command, and run nothing
  SCRIPT --help  the script's flags, and what each is here

releases and their scripts:
"""


def _help() -> str:
    lines = [f"  {name:12} {', '.join(script.path for script in held)}" for name, held in releases().items()]
    return _USAGE + "\n".join(lines)


def _script_help(script: Script) -> str:
    head = f"{script.release} {script.path} (github.com/{script.source}), flags and what they are here:\n"
    return head + "\n".join(_flag_help(flag) for flag in script.flags)


def _flag_help(flag: ScriptFlag) -> str:
    if flag.refusal and flag.allowed is None:
        what = f"not here: {flag.help}"
    elif flag.refusal:
        what = f"must be {flag.allowed!r}: {flag.help}"
    elif flag.ours is None and not flag.role:
        what = f"without effect: {flag.help}"
    else:
        what = flag.help if flag.ours is None else f"{flag.ours}: {flag.help}"
    default = "" if flag.default is None else f" (default: {flag.default})"
    return f"  {', '.join(flag.names)}\n      {what}{default}"


def run_release(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> int:
    """Runs a release's command.

    Args:
        arguments: `[--dry-run] [RELEASE] SCRIPT FLAGS`; None: those of the process.
        log: Takes a line for the user; None: standard output for help, else standard error.

    Returns:
        The exit code of the last of our programs that ran.

    Raises:
        Pose3DError: See `tf_pose3d.cli.scripts.translation.translate`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    dry = bool(words) and words[0] in ("--dry-run", "--dry_run")
    words = words[1:] if dry else words
    if not words or words[0] in ("-h", "--help"):
        if not words:
            raise Pose3DError(
                "nothing to run: give a script of a release and its flags, e.g. run_onestage.py -k gt "
                "--stage 1 -lfd 256 (--help lists all scripts)"
            )
        (log or print)(_help())
        return 0
    if {"-h", "--help"} & set(words):
        script, _ = choose_script([word for word in words if word not in ("-h", "--help")][:2])
        (log or print)(_script_help(script))
        return 0
    command = translate(words)
    say = log or _say
    for note in command.notes:
        say(note)
    say(command.text())
    if dry:
        return 0
    code = 0
    for program, run in command.runs:
        code = _main_of(program)(list(run))
        if code:
            break
    return code


def _main_of(program: str) -> Callable[[Sequence[str] | None], int]:
    """The entry point of one of our programs."""
    from tf_pose3d.cli import convert, eval, inference, prepare, train

    mains = {"train": train.main, "eval": eval.main, "inference": inference.main, "convert": convert.main}
    return mains[program] if program in mains else prepare.PREPARATIONS[program][0]


def _say(line: str) -> None:
    # Not among the results: they may be piped into another program.
    print(f"tf-pose3d-run: {line}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("tf-pose3d-run", run_release, arguments)


if __name__ == "__main__":
    sys.exit(main())
