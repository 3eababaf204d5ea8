"""What a release's script and its flags are, and a command line read by them.

Nothing here and in the tables beside it imports TensorFlow or a family: programs ask before they start it.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

from tf_pose3d.errors import Pose3DError

__all__ = [
    "EVAL",
    "INFERENCE",
    "TRAIN",
    "Given",
    "Plan",
    "Script",
    "ScriptFlag",
    "ignored",
    "likely",
    "only",
    "passed",
    "read",
    "refused",
    "spelled",
]

TRAIN, EVAL, INFERENCE = "train", "eval", "inference"
_ALL = (TRAIN, EVAL, INFERENCE)


@dataclasses.dataclass(frozen=True)
class ScriptFlag:
    """A flag of a release's script, and what it is here.

    Attributes:
        names: Spellings, with `_` between words; those that its README abbreviates are among them.
        help: What it is here, in one line; where it has no counterpart, why.
        values: `"one"` value follows, `"none"` (a switch) or `"maybe"` (READMEs write `--train 1` for one).
        default: What the release takes where it is not given.
        ours: The flag of our programs that it becomes; None: see the rest.
        programs: Ours in which that flag means something.
        key: The config key that it sets, `KEY.argument` for an argument of an object; the release's default
            is then passed on where our config has another.
        always: Pass the default on whatever our config has.
        convert: Value of the release -> ours, and the same for the default.
        role: The script's plan reads it.
        refusal: Why it cannot be had; the command is refused.
        allowed: With `refusal`: a value that changes nothing.
    """

    names: tuple[str, ...]
    help: str
    values: str = "one"
    default: str | float | None = None
    ours: str | None = None
    programs: tuple[str, ...] = _ALL
    key: str | None = None
    always: bool = False
    convert: Callable[[str], str] | None = None
    role: str = ""
    refusal: str = ""
    allowed: str | None = None

    @property
    def name(self) -> str:
        """The longest spelling."""
        return max(self.names, key=len)

    def arguments(self, value: str | None) -> list[str]:
        """The flag as ours, with its value."""
        assert self.ours is not None
        if self.values == "none" or value is None:
            return [self.ours]
        return spelled(self.ours, self.convert(value) if self.convert is not None else value)


def spelled(flag: str, value: str) -> list[str]:
    """A flag and its value as arguments; in one where the value looks like a flag."""
    return [f"{flag}={value}"] if value.startswith("-") else [flag, value]


def passed(
    names: str,
    ours: str,
    help: str,
    default: str | float | None = None,
    key: str | None = None,
    programs: tuple[str, ...] = _ALL,
    values: str = "one",
    always: bool = False,
    convert: Callable[[str], str] | None = None,
) -> ScriptFlag:
    """A flag that becomes one of ours; see `ScriptFlag`. `names` has blanks between spellings."""
    return ScriptFlag(
        tuple(names.split()), help, values, default, ours, programs, key, always, convert=convert
    )


def read(names: str, role: str, help: str, default: str | None = None, values: str = "one") -> ScriptFlag:
    """A flag that the script's plan reads."""
    return ScriptFlag(tuple(names.split()), help, values, default, role=role)


def ignored(names: str, why: str, values: str = "one") -> ScriptFlag:
    """A flag without effect here, which is said and does no harm."""
    return ScriptFlag(tuple(names.split()), why, values)


def refused(names: str, why: str, values: str = "one") -> ScriptFlag:
    """A flag without counterpart whose result would be another."""
    return ScriptFlag(tuple(names.split()), why, values, refusal=why)


def only(names: str, value: str, why: str, values: str = "one") -> ScriptFlag:
    """A flag that may have one value only, the release's default."""
    return ScriptFlag(tuple(names.split()), why, values, value, refusal=why, allowed=value)


@dataclasses.dataclass(frozen=True)
class Given:
    """The flags of a command line, in their order; `True` stands for a switch."""

    script: Script
    flags: tuple[tuple[ScriptFlag, str | None], ...]
    rest: tuple[str, ...]

    def has(self, role: str) -> bool:
        """Whether a flag of that role or name is given."""
        return any(role == flag.role or role in flag.names for flag, _ in self.flags)

    def value(self, role: str) -> str | None:
        """The last value given by a flag of that role or name, else the release's default."""
        found = [value for flag, value in self.flags if role == flag.role or role in flag.names]
        if found:
            return found[-1]
        flag = self.script.flag_of(role)
        return None if flag is None or flag.default is None else str(flag.default)


@dataclasses.dataclass
class Plan:
    """What a command of a release is here.

    Attributes:
        program: `train`, `eval`, `inference`, or another of ours (`convert`, `gendb`).
        arguments: Before those that the flags become.
        config: Shipped config whose values the release's defaults are compared with; None: those of the
            family (`arch`) are.
        notes: What differs, a line each.
        before: Runs of our programs that come first, (program, arguments).
    """

    program: str
    arguments: list[str] = dataclasses.field(default_factory=list)
    config: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    before: list[tuple[str, list[str]]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Script:
    """A script of a release.

    Attributes:
        release: How `tf-pose3d-run` calls the release: a family's short name, or of what holds several.
        path: In its repository.
        archs: Short names of the families that it runs.
        flags: All of its flags.
        plan: What a command line of it is here.
        source: The repository, `owner/name` on GitHub.
        programs: Those of our programs that it may become.
    """

    release: str
    path: str
    archs: tuple[str, ...]
    flags: tuple[ScriptFlag, ...]
    plan: Callable[[Given], Plan]
    source: str
    programs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rpartition("/")[2]

    def flag_of(self, role: str) -> ScriptFlag | None:
        """The flag of a role, or of a spelling."""
        return next((flag for flag in self.flags if role == flag.role or role in flag.names), None)

    def names(self) -> set[str]:
        """All spellings of all flags."""
        return {name for flag in self.flags for name in flag.names}

    def parse(self, arguments: Sequence[str], ours: Mapping[str, str]) -> Given:
        """The flags of a command line; flags are spelled whole.

        Args:
            arguments: After the script's name, flags with `_` between words.
            ours: Flags of our programs that may stand among them -> `"one"` or `"none"` values.

        Raises:
            Pose3DError: Something that is no flag of the script, or a flag without its value.
        """
        flags: list[tuple[ScriptFlag, str | None]] = []
        rest: list[str] = []
        words = list(arguments)
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            flag = self.flag_of(name) if name.startswith("-") else None
            if flag is None:
                if name not in ours:
                    raise Pose3DError(self._unknown(name))
                rest.append(word)
                if ours[name] == "one" and not equals:
                    rest.append(_next(words, name))
                continue
            if flag.values == "none":
                if equals:
                    raise Pose3DError(f"{name} is a switch, found {word}")
                flags.append((flag, None))
            elif equals:
                flags.append((flag, value))
            elif flag.values == "maybe":
                follows = words and not words[0].startswith("-")
                flags.append((flag, words.pop(0) if follows else None))
            else:
                flags.append((flag, _next(words, name)))
        return Given(self, tuple(flags), tuple(rest))

    def _unknown(self, name: str) -> str:
        if not name.startswith("-"):
            return f"{self.release} {self.name}: {name!r} belongs to no flag"
        from tf_pose3d.cli.scripts.table import holders, joined

        others = [other for other in holders(name) if other != self.release]
        if others:
            return (
                f"{self.release} {self.name} has no flag {name}, which is one of {joined(others)}: "
                "flags of two releases in one command"
            )
        return f"{self.release} {self.name} has no flag {name}{likely(name, self.names())}"


def likely(name: str, known: Iterable[str]) -> str:
    """`" (did you mean --x?)"` for the flag most like a name, or where all are listed."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {found[0]}?)" if found else " (--help lists them)"


def _next(words: list[str], name: str) -> str:
    if not words:
        raise Pose3DError(f"{name}: expected a value")
    return words.pop(0)
