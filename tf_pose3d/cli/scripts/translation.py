"""A release's command as commands of ours, and a release's flags in our programs."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Collection, Sequence
from typing import Any

from tf_pose3d.cli.flags import underscored
from tf_pose3d.cli.scripts.preparation import PREPARATIONS
from tf_pose3d.cli.scripts.script import EVAL, INFERENCE, TRAIN, Plan, ScriptFlag, spelled
from tf_pose3d.cli.scripts.table import (
    OURS,
    choose_script,
    flag_of_family,
    holders,
    joined,
    underscored_name,
)
from tf_pose3d.config import read_config_file
from tf_pose3d.errors import Pose3DError

__all__ = ["Command", "accept_release_flags", "translate"]

_WORK = {TRAIN: "training", EVAL: "evaluation", INFERENCE: "lifting a recording"}
_FILES = {
    TRAIN: "train.py",
    EVAL: "eval.py",
    INFERENCE: "inference.py",
    "convert": "tools/convert_weights.py",
    **PREPARATIONS,
}


@dataclasses.dataclass(frozen=True)
class Command:
    """Runs of our programs that a release's command stands for.

    Attributes:
        runs: (program, arguments), one after the other.
        notes: What differs from the release, a line each.
    """

    runs: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The same as a shell command."""
        return " && ".join(f"{_FILES[program]} {shlex.join(arguments)}" for program, arguments in self.runs)


def translate(words: Sequence[str]) -> Command:
    """Our commands for `[RELEASE] SCRIPT FLAGS` of a release.

    Raises:
        Pose3DError: An unknown script or flag, flags of two releases, or a flag without counterpart.
    """
    script, flags = choose_script(words)
    given = script.parse([underscored(word) for word in flags], OURS)
    for flag, value in given.flags:
        if flag.refusal and (flag.allowed is None or value != flag.allowed):
            said = flag.name if value is None else f"{flag.name} {value}"
            raise Pose3DError(f"{script.release} {script.name}: {said} has no counterpart: {flag.refusal}")
    plan = script.plan(given)
    arguments = list(plan.arguments)
    for flag, value in given.flags:
        if flag.role or flag.refusal:
            continue
        if flag.ours is None:
            plan.notes.append(f"{flag.name} has no effect: {flag.help}")
        elif plan.program not in flag.programs:
            plan.notes.append(f"{flag.name} has no effect on {_WORK[plan.program]}")
        else:
            arguments += _checked(flag, value)
    present = {id(flag) for flag, _ in given.flags}
    for flag in script.flags:
        if id(flag) not in present and flag.ours is not None and plan.program in flag.programs:
            arguments += _default_arguments(flag, plan)
    arguments += given.rest
    return Command(
        (*((name, tuple(run)) for name, run in plan.before), (plan.program, tuple(arguments))),
        tuple(plan.notes),
    )


def _checked(flag: ScriptFlag, value: str | None) -> list[str]:
    try:
        return flag.arguments(value)
    except ValueError:
        raise Pose3DError(f"{flag.name} {value}: expected a whole number") from None


def _default_arguments(flag: ScriptFlag, plan: Plan) -> list[str]:
    """What says the release's default where ours would be another."""
    if flag.default is None:
        return []
    if flag.always:
        return flag.arguments(str(flag.default))
    if plan.program != TRAIN or flag.key is None or plan.config is None:
        return []
    held: Any = read_config_file(plan.config)
    for part in flag.key.split("."):
        held = held.get(part) if isinstance(held, dict) else None
    value = str(flag.default) if flag.convert is None else flag.convert(str(flag.default))
    return [] if _same(held, value) else flag.arguments(str(flag.default))


def _same(held: Any, value: str) -> bool:  # noqa: ANN401  # a config's value
    if isinstance(held, list):
        return ",".join(map(str, held)) == value
    try:
        return float(held) == float(value)
    except (TypeError, ValueError):
        return str(held) == value


def accept_release_flags(
    short: str, program: str, words: Sequence[str], known: Collection[str], log: Callable[[str], None]
) -> list[str]:
    """The arguments of one of our programs, with a release's flags as ours.

    Args:
        short: Short name of the family, whose release's flags count.
        program: `train`, `eval` or `inference`.
        words: Flags with `_` between words.
        known: Spellings that the program itself has for the family; they mean what they do there.
        log: Takes a line on a flag without effect.

    Raises:
        Pose3DError: A flag without counterpart, or of another family.
    """
    rest: list[str] = []
    roles: dict[str, str | None] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if not _is_flag(word) or name in known or underscored_name(word) in known:
            rest.append(word)
            continue
        flag = flag_of_family(short, program, name) or flag_of_family(
            short, _other(short, program, name), name
        )
        if flag is None:
            _refuse_foreign(short, program, name)
            rest.append(word)
            continue
        given: str | None = value if equals else None
        if not equals and (
            flag.values == "one" or (flag.values == "maybe" and queue and not _is_flag(queue[0]))
        ):
            if not queue:
                raise Pose3DError(f"{name}: expected a value")
            given = queue.pop(0)
        if flag.refusal:
            if flag.allowed is None or given != flag.allowed:
                said = name if given is None else f"{name} {given}"
                raise Pose3DError(f"{said} has no counterpart: {flag.refusal}")
        elif flag.role:
            roles[flag.role] = given
        elif flag.ours is None:
            log(f"{name} has no effect: {flag.help}")
        elif program not in flag.programs:
            log(f"{name} has no effect on {_WORK[program]}")
        else:
            rest += _checked(flag, given)
    return rest + _role_arguments(program, roles)


def _is_flag(word: str) -> bool:
    return word.startswith("-") and word != "-" and not word[1:].replace(".", "", 1).isdecimal()


def _other(short: str, program: str, name: str) -> str:
    """Another of our programs in which a family's scripts have the flag."""
    programs = [one for one in (TRAIN, EVAL, INFERENCE) if flag_of_family(short, one, name) is not None]
    return programs[0] if programs else program


def _refuse_foreign(short: str, program: str, name: str) -> None:
    """Refuses a flag that another family's release has.

    Raises:
        Pose3DError: There is such a release.
    """
    others = [release for release in holders(name) if release != short]
    if others:
        raise Pose3DError(
            f"{name} is a flag of {joined(others)}; this is {short}, which has none of that name: two "
            "families' flags in one command"
        )


def _role_arguments(program: str, roles: dict[str, str | None]) -> list[str]:
    """What flags become that a release's script reads itself."""
    rest: list[str] = []
    evaluated, folder = roles.pop("evaluate", None), roles.pop("folder", None)
    if evaluated is not None:
        # The other programs have read it as --weights already.
        raise Pose3DError(
            f"--evaluate {evaluated}: train.py trains; evaluate by eval.py --weights {evaluated}, or give "
            "the release's whole command to tf-pose3d-run"
        )
    if folder is not None and program == TRAIN:
        rest += ["--out_dir", folder]
    if roles.pop("render", "") is None and program == EVAL:
        raise Pose3DError("--render: inference.py draws a recording, with the same flags")
    if "test" in roles:
        rest += spelled("--val_subset" if program == TRAIN else "--test_subset", roles.pop("test") or "")
    if roles:
        name = next(iter(roles))
        raise Pose3DError(
            f"{name} is read by the release's script alone: give the whole command to tf-pose3d-run"
        )
    return rest
