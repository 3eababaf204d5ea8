"""What the programs share: a quiet start, flags by family, and errors as one line."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.process import tune_process

if TYPE_CHECKING:
    from tf_pose3d.config import Config
    from tf_pose3d.models.family import Family

__all__ = [
    "Parser",
    "add_common_flags",
    "apply_flags",
    "as_switch",
    "parse",
    "parse_overrides",
    "run_program",
    "start_tensorflow",
]

_FALSE = {"false", "f", "no", "n", "0", "none"}
_TRUE = {"true", "t", "yes", "y", "1"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose flags may be spelled with `-` or `_`, and whose errors are one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", _HelpFormatter)
        super().__init__(*args, allow_abbrev=False, **kwargs)

    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([_underscored(argument) for argument in args], namespace)

    def error(self, message: str) -> None:
        raise Pose3DError(f"{message} (see --help)")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults where there is one, and keeps the epilog's lines."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


def _underscored(argument: str) -> str:
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


def as_actions(text: str) -> tuple[str, ...] | None:
    """Action names of `Walking,Eating`; None for `*`."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return None if names in ((), ("*",)) else names


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
        except json.JSONDecodeError:
            changes[name] = value
    return changes


def apply_flags(
    config: Config, arguments: argparse.Namespace, family: Family, program: str, **values: Any
) -> Config:
    """The config with what the flags overwrite.

    Args:
        config: As loaded.
        arguments: Of a parser made by `parse`.
        family: The config's family; its own flags are applied, too.
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
        *((flag.key, getattr(arguments, flag.destination)) for flag in family.flags(program) if flag.key),
        *values.items(),
    ]
    changes.update({name: value for name, value in given if value is not None})
    return config.replace(**_merged(config, changes)) if changes else config


def _merged(config: Config, changes: dict[str, Any]) -> dict[str, Any]:
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


def _read_names(arguments: Sequence[str]) -> tuple[str | None, Path | None, str | None]:
    """ARCH of --config, the file that --weights means, and --arch.

    Needs no TensorFlow, so that a wrong name is said at once.
    """
    from tf_pose3d.config import read_config_file
    from tf_pose3d.files import resolve_weights

    first = Parser(add_help=False)
    for flag in ("--config", "--weights", "--arch"):
        first.add_argument(flag)
    given, _ = first.parse_known_args(arguments)
    arch = read_config_file(given.config).get("ARCH") if given.config else None
    return arch, resolve_weights(given.weights) if given.weights else None, given.arch


def _find_family(
    arguments: Sequence[str], arch: str | None, weights: Path | None, named: str | None
) -> Family | None:
    """The family by config, else by weights, else by --arch, else by what the flags imply.

    Args:
        arguments: All flags.
        arch, weights, named: Of `_read_names`.
    """
    from tf_pose3d.models.family import FAMILIES, get_family
    from tf_pose3d.weight_files.hdf5 import read_config

    if arch is None and weights is not None:
        arch = (read_config(weights) or {}).get("ARCH")
    arch = arch or named
    if arch is not None:
        return get_family(arch)
    names = {argument.partition("=")[0] for argument in arguments}
    for name in FAMILIES:
        family = get_family(name)
        if names & set(family.telling_flags):
            return family
    return None


def _describe(family: Family) -> str:
    """The config keys of a family with defaults, for `--arch X --help`."""
    lines = [f"config keys of {family.arch} (in the config file, or by --set KEY=VALUE):", ""]
    for key, default, help_text in family.config_class.describe():
        lines += [f"  {key} (default: {default})", f"      {help_text}"]
    return "\n".join(lines)


def parse(
    make_parser: Callable[[], Parser], arguments: Sequence[str] | None, program: str
) -> tuple[argparse.Namespace, Family]:
    """Parses the flags of a program in the meaning that the family gives them.

    `--help` shows the flags that all families share; with `--arch` (or a config, or weights) those of
    the family and its config keys as well.

    Raises:
        Pose3DError: Unknown or missing flags, or nothing that tells the family.
    """
    given = [_underscored(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    asks_help = bool({"-h", "--help"} & set(given))
    parser = make_parser()
    if asks_help and not {a.partition("=")[0] for a in given} & {"--arch", "--config", "--weights"}:
        parser.parse_args(["--help"])
    names = _read_names(given)
    start_tensorflow()
    family = _find_family(given, *names)
    if family is not None:
        group = parser.add_argument_group(f"flags of {family.arch}")
        for flag in family.flags(program):
            flag.add_to(group)
        parser.epilog = _describe(family)
    parsed = parser.parse_args(given)
    if family is None:
        raise Pose3DError(
            "which model family? Give a --config with ARCH, weights that hold their config, or --arch "
            "(weights of the original releases hold none: give the config file beside them)"
        )
    family.complete_arguments(program, parsed)
    return parsed, family


def start_tensorflow() -> None:
    """Imports TensorFlow, tuned, without the chatter that it writes before its own log level counts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tune_process()
    with _held_stderr():
        import tensorflow as tf
        from absl import logging

        tf.config.list_physical_devices()
    # TensorFlow's Python side warns through absl of what users can do nothing about.
    logging.set_verbosity(logging.ERROR)


@contextlib.contextmanager
def _held_stderr() -> Iterator[None]:
    """Holds back what is written to file descriptor 2; shows it if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def run_program(
    name: str, main: Callable[[Sequence[str] | None], int | None], arguments: Sequence[str] | None = None
) -> int:
    """Runs a program and turns what goes wrong into one line and an exit code.

    Returns:
        What `main` returns, None meaning 0; 2 on bad input; 130 when interrupted.
    """
    try:
        return main(arguments) or 0
    except Pose3DError as error:
        return _fail(name, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(name, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        return _fail(name, "interrupted", 130)


def _fail(name: str, message: str, code: int = 2) -> int:
    sys.stdout.flush()
    print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr)
    return code
