"""Flags that the programs share, and what they make of a config."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.cli.releases.release import Release
    from tf_pose3d.config import ConfigType

__all__ = [
    "Parser",
    "add_common_flags",
    "apply_flags",
    "as_switch",
    "parse_overrides",
    "underscored",
]

_RATE = "initial_learning_rate"
_FALSE = {"false", "f", "no", "n", "0", "none"}
_TRUE = {"true", "t", "yes", "y", "1"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose flags may be spelled with `-` or `_`, and whose errors are one line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"formatter_class": _HelpFormatter, "allow_abbrev": False, **kwargs})

    def parse_known_args(  # type: ignore[override]  # its overloads, of any namespace's class
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([underscored(argument) for argument in args], namespace)

    def names(self) -> set[str]:
        """All spellings of all flags."""
        return set(self._option_string_actions)

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """Flags that a text may be short for: none. argparse would read `-d x` as `-drop x`, and `-sun` as
        `-s un`, whatever `allow_abbrev` says.
        """
        return []

    def error(self, message: str) -> NoReturn:
        raise Pose3DError(f"{message} (see --help)")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults where there is one, and keeps the epilog's lines."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


def underscored(argument: str) -> str:
    """A flag with `_` between words; other arguments as they are."""
    if not argument.startswith("--") or argument == "--":
        return argument
    name, equals, value = argument.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}"


def as_switch(text: str) -> bool:
    """A flag's True or False, in the release's spellings.

    Raises:
        argparse.ArgumentTypeError: Neither.
    """
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise argparse.ArgumentTypeError(f"{text!r} is neither True nor False")


def add_common_flags(parser: Parser) -> None:
    """Flags of every program that runs a model."""
    parser.add_argument(
        "--arch",
        metavar="FAMILY",
        help="model family, where neither config nor weights say; with --help: its flags and config keys",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="overwrite a config key, the value in JSON, e.g. --set EPOCHS=3, or "
        "SCHEDULE_PARAMS.decay_steps=100; may be repeated",
    )
    parser.add_argument(
        "--gpu_id", type=int, help="which GPU, counted from 0; overwrites GPU_ID, ignored without GPUs"
    )
    parser.add_argument(
        "--mixed_precision",
        choices=("mixed_float16", "mixed_bfloat16"),
        help="compute in half precision; overwrites MIXED_PRECISION",
    )
    parser.add_argument(
        "--jit_compile",
        nargs="?",
        const=True,
        type=as_switch,
        metavar="True|False",
        help="compile with XLA; overwrites JIT_COMPILE",
    )


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Config keys and values from the texts of `--set KEY=VALUE`.

    Raises:
        Pose3DError: A text that is not KEY=VALUE.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Pose3DError(f"--set {text}: expected KEY=VALUE, e.g. EPOCHS=3")
        try:
            changes[name] = json.loads(value)
        except (ValueError, RecursionError):
            changes[name] = value
    return changes


def apply_flags(
    config: ConfigType, arguments: argparse.Namespace, release: Release, program: str, **values: Any
) -> ConfigType:
    """The config with what the flags overwrite.

    Args:
        config: As loaded.
        arguments: Of a parser made by `tf_pose3d.cli.program.parse`.
        release: Of the config's family; its own flags are applied, too.
        program: `"train"`, `"eval"` or `"inference"`.
        **values: Further keys; None means not given.

    Raises:
        Pose3DError: An override that is not KEY=VALUE, or a value that the schema refuses.
    """
    changes = parse_overrides(arguments.set)
    given = [
        ("GPU_ID", arguments.gpu_id),
        ("MIXED_PRECISION", arguments.mixed_precision),
        ("JIT_COMPILE", arguments.jit_compile),
        *_flag_values(arguments, release, program),
        *values.items(),
    ]
    changes.update({name: value for name, value in given if value is not None})
    _require_rate(config, changes)
    return config.replace(**_merged(config, changes)) if changes else config


def _flag_values(arguments: argparse.Namespace, release: Release, program: str) -> Iterator[tuple[str, Any]]:
    """(config key, value) of the release's flags that are given.

    Raises:
        Pose3DError: Two flags that set one key to different values.
    """
    said: dict[str, tuple[str, Any]] = {}
    for flag in release.all_flags(program):
        value = getattr(arguments, flag.destination)
        if flag.key is None or value is None:
            continue
        before = said.setdefault(flag.key, (flag.names[0], value))
        if before[1] != value:
            raise Pose3DError(f"{before[0]} and {flag.names[0]} say different things; give one of them")
        yield flag.key, value


def _require_rate(config: ConfigType, changes: dict[str, Any]) -> None:
    """Refuses an initial rate where the schedule has none.

    Raises:
        Pose3DError: It has none; the message gives the flag that sets its values.
    """
    schedule = changes.get("SCHEDULE", getattr(config, "SCHEDULE", None))
    if f"SCHEDULE_PARAMS.{_RATE}" in changes and schedule == "PiecewiseConstantDecay":
        raise Pose3DError(
            "--lr: SCHEDULE is PiecewiseConstantDecay, which has several rates; give them by --set "
            'SCHEDULE_PARAMS=\'{"boundaries": [1000], "values": [1e-3, 1e-4]}\''
        )


def _merged(config: ConfigType, changes: dict[str, Any]) -> dict[str, Any]:
    """Changes in which `KEY.argument` has become an argument of the object that is KEY's value."""
    merged = {name: value for name, value in changes.items() if "." not in name}
    for name, value in changes.items():
        key, dot, argument = name.partition(".")
        if not dot:
            continue
        held = merged.get(key, getattr(config, key, None))
        if not isinstance(held, dict):
            raise Pose3DError(f"{name}: {key} is no config key with arguments of its own")
        merged[key] = {**held, argument: value}
    return merged
