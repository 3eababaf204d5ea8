"""What the programs share: quiet start, flags, and errors as one line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tf_pose3d.config import Config
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import FAMILIES, get_family

__all__ = ["Parser", "apply_overrides", "as_switch", "run_program"]

_FALSE = {"false", "f", "no", "n", "0", "none"}
_TRUE = {"true", "t", "yes", "y", "1"}


class Parser(argparse.ArgumentParser):
    """An argument parser whose flags may be spelled with `-` or `_`, and whose errors are one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.ArgumentDefaultsHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)

    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        args = sys.argv[1:] if args is None else args
        return super().parse_known_args([_underscored(arg) for arg in args], namespace)

    def error(self, message: str) -> None:
        raise Pose3DError(f"{message} (see --help)")


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
        help="model family, where neither config nor weights say; with --help: its config keys. One of "
        + ", ".join(short for short, _ in FAMILIES.values()),
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="overwrite a config key, the value in JSON, e.g. --set EPOCHS=3; may be repeated",
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


def apply_overrides(config: Config, arguments: argparse.Namespace, **values: Any) -> Config:
    """The config with what the flags overwrite.

    Args:
        config: As loaded.
        arguments: Of a parser with `add_common_flags`.
        **values: Further keys; None means not given.

    Raises:
        Pose3DError: An override that is not KEY=VALUE, or a value that the schema refuses.
    """
    import json

    changes: dict[str, Any] = {}
    for text in arguments.set:
        name, equals, value = text.partition("=")
        if not equals:
            raise Pose3DError(f"--set {text}: expected KEY=VALUE, e.g. EPOCHS=3")
        try:
            changes[name] = json.loads(value)
        except json.JSONDecodeError:
            changes[name] = value
    values = {
        "GPU_ID": arguments.gpu_id,
        "MIXED_PRECISION": arguments.mixed_precision,
        "JIT_COMPILE": arguments.jit_compile,
        **values,
    }
    changes.update({name: value for name, value in values.items() if value is not None})
    return config.replace(**changes) if changes else config


def describe_family(name: str) -> str:
    """The config keys of a family, with defaults, for `--arch X --help`."""
    family = get_family(name)
    lines = [f"config keys of {family.arch} (set in the config file, or by --set KEY=VALUE):", ""]
    for key, default, help_text in family.config_class.describe():
        lines.append(f"  {key} (default: {default})")
        lines.append(f"      {help_text}")
    return "\n".join(lines)


def parse(parser: Parser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses, and answers `--arch X --help` with the family's config keys as well."""
    arguments = [_underscored(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    if {"-h", "--help"} & set(arguments):
        first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        first.add_argument("--arch")
        arch = first.parse_known_args(arguments)[0].arch
        if arch is not None:
            parser.epilog = describe_family(arch)
            parser.formatter_class = _KeepEpilog
    return parser.parse_args(arguments)


class _KeepEpilog(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    pass


def run_program(name: str, main: Callable[[Sequence[str] | None], None], arguments: Any = None) -> int:
    """Runs a program and turns what goes wrong into one line and an exit code.

    Returns:
        0; 2 on bad input; 128 + n when stopped by signal n.
    """
    try:
        main(arguments)
    except Pose3DError as error:
        return _fail(name, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(name, f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        return _fail(name, "interrupted", 130)
    return 0


def _fail(name: str, message: str, code: int = 2) -> int:
    sys.stdout.flush()
    print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr)
    return code
