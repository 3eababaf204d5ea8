"""How a program starts: its family and flags, TensorFlow without chatter, and errors as one line."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.backend import explain_missing, require_tensorflow, require_tensorflow_backend
from tf_pose3d.cli.flags import Parser, parse_overrides, underscored
from tf_pose3d.cli.scripts.files import find_file
from tf_pose3d.cli.scripts.table import family_of_flags
from tf_pose3d.cli.scripts.translation import accept_release_flags
from tf_pose3d.cli.scripts.yaml_config import expand_yaml
from tf_pose3d.cli.streams import finish_output, prepare_streams
from tf_pose3d.errors import Pose3DError
from tf_pose3d.process import held_stderr, share_cores, tune_process

if TYPE_CHECKING:
    from tf_pose3d.cli.releases.release import Release
    from tf_pose3d.models.family import Family
    from tf_pose3d.weights.opening import ForeignWeights

__all__ = ["parse", "run_program", "start_tensorflow"]

# What a program without arguments is told.
_EXAMPLES = {
    "train": "train.py --config quickstart --dataset synthetic --out_dir logs/first",
    "eval": "eval.py --weights models/x.h5 --dataset data/data_3d_h36m.npz --keypoints gt",
    "inference": "inference.py --input keypoints.json --width 1920 --height 1080 --fps 30 --output pose.npz, "
    "or inference.py --demo",
}
_NEEDED = {
    "train": "a --config and an --out_dir",
    "eval": "--weights, and the --dataset to evaluate them on",
    "inference": "--input with keypoints or a video, a recording of a data set (--viz_subject), or --demo",
}


def _read_names(arguments: Sequence[str]) -> tuple[str | None, Path | None, str | None, str | None]:
    """ARCH of --config, the file that --weights means, --arch, and the config file.

    Needs no TensorFlow, so that a wrong name is said at once.
    """
    from tf_pose3d.config import read_config_file
    from tf_pose3d.files import resolve_weights

    first = Parser(add_help=False)
    for flag in ("--config", "--weights", "--arch"):
        first.add_argument(flag)
    given, _ = first.parse_known_args(arguments)
    arch = read_config_file(given.config).get("ARCH") if given.config else None
    weights = resolve_weights(given.weights) if given.weights else None
    return arch, weights, given.arch, given.config


def _find_release(
    flags: set[str],
    program: str,
    arch: str | None,
    weights: Path | None,
    named: str | None,
    config: str | None,
) -> tuple[Release | None, ForeignWeights | None]:
    """The release of the family by config, else by weights, else by --arch, else by what the flags imply.

    Args:
        flags: Spellings of the flags that not all families have.
        program: `train`, `eval` or `inference`.
        arch, weights, named, config: Of `_read_names`.

    Returns:
        It, or None, and the weights where they are another release's checkpoint.
    """
    from tf_pose3d.cli.releases import get_release
    from tf_pose3d.models.family import get_family
    from tf_pose3d.weight_files.hdf5 import read_config
    from tf_pose3d.weights.opening import find_foreign_weights

    told, unclear = named, None
    if arch is None and named is None:
        try:
            told = family_of_flags(flags, program)
        except Pose3DError as error:
            unclear = error
    foreign = None
    if weights is not None:
        foreign = find_foreign_weights(weights, arch or told)
    source: object = None if arch is None else config
    if arch is None and foreign is not None:
        arch = foreign.converter.arch
    elif arch is None and weights is not None:
        arch, source = (read_config(weights) or {}).get("ARCH"), weights
    source = source if arch else None
    arch = arch or told
    if arch is None and unclear is not None:
        raise unclear
    return None if arch is None else get_release(get_family(arch, source)), foreign


def _names_weights(arguments: list[str], program: str) -> list[str]:
    """The releases' `--evaluate FILE`, in the folder of their `-c`, as `--weights`."""
    names = [argument.partition("=")[0] for argument in arguments]
    if program == "train" or "--evaluate" not in names or "--weights" in names:
        return arguments
    values: dict[str, str] = {}
    rest: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name not in ("--evaluate", "-c", "--checkpoint"):
            rest.append(word)
            continue
        if not equals and not words:
            raise Pose3DError(f"{name}: expected a value")
        values[name] = value if equals else words.pop(0)
    file = values.pop("--evaluate")
    if file.lower() in ("true", "false"):
        raise Pose3DError(
            f"--evaluate {file}: give --weights FILE, or the release's whole command to tf-pose3d-run"
        )
    notes: list[str] = []
    rest += ["--weights", find_file("--evaluate", file, list(values.values()), notes)]
    for note in notes:
        _say(program, note)
    return rest


def _say(program: str, line: str) -> None:
    # Not among the results: they may be piped into another program.
    print(f"{program}.py: {line}", file=sys.stderr, flush=True)


def _convert(
    foreign: ForeignWeights,
    release: Release | None,
    parsed: argparse.Namespace,
    program: str,
) -> None:
    """Holds a release's checkpoint converted under what config file and flags say.

    Args:
        foreign: The checkpoint.
        release: Its flags say config keys, too; None: nothing is said (weights of an earlier stage).
        parsed: The arguments.
        program: Its name, for the line that says so.
    """
    from tf_pose3d.weights.opening import config_values

    values: dict[str, Any] = {}
    if release is not None:
        values = config_values(parsed.config, foreign)
        said = parse_overrides(parsed.set)
        flags = {
            flag.key: getattr(parsed, flag.destination, None)
            for flag in release.all_flags(program)
            if flag.key
        }
        said |= {name: value for name, value in flags.items() if value is not None}
        values |= {name: value for name, value in said.items() if "." not in name}

    foreign.convert(
        values,
        lambda line: _say(program, line),
        start=program == "train",
        begin=lambda: start_tensorflow(f"{program}.py"),
    )


def _convert_others(weights: str, release: Release, parsed: argparse.Namespace, program: str) -> None:
    from tf_pose3d.files import resolve_weights
    from tf_pose3d.weights.opening import find_foreign_weights

    foreign = find_foreign_weights(resolve_weights(weights), release.family.arch)
    if foreign is not None:
        _convert(foreign, None, parsed, program)


def _describe(family: Family) -> str:
    """The config keys of a family with defaults, for `--arch X --help`."""
    lines = [f"config keys of {family.arch} (in the config file, or by --set KEY=VALUE):", ""]
    for key, default, help_text in family.config_class.describe():
        lines += [f"  {key} (default: {default})", f"      {help_text}"]
    return "\n".join(lines)


def parse(
    make_parser: Callable[[], Parser], arguments: Sequence[str] | None, program: str
) -> tuple[argparse.Namespace, Release]:
    """Parses the flags of a program in the meaning that the family gives them.

    `--help` shows the flags that all families share; with `--arch` (or a config, or weights) those of
    the family and its config keys as well. TensorFlow is not imported: what can be known without it is said
    before its start (`start_tensorflow`), which takes seconds.

    Raises:
        Pose3DError: Unknown or missing flags, or nothing that tells the family.
    """
    given = [underscored(argument) for argument in (sys.argv[1:] if arguments is None else arguments)]
    if not given:
        raise Pose3DError(
            f"nothing to do: give {_NEEDED[program]}; e.g. {_EXAMPLES[program]} (--help lists all flags)"
        )
    asks_help = bool({"-h", "--help"} & set(given))
    parser = make_parser()
    if asks_help and not {a.partition("=")[0] for a in given} & {"--arch", "--config", "--weights"}:
        parser.parse_args(["--help"])
    given = _names_weights(expand_yaml(given, lambda line: _say(program, line)), program)
    names = _read_names(given)
    spelled = {argument.partition("=")[0] for argument in given if argument.startswith("-")}
    shared = parser.names() | ({"--epochs", "--batch_size", "--lr"} if program == "train" else set())
    release, foreign = _find_release(spelled - shared, program, *names)
    if release is not None:
        group = parser.add_argument_group(f"flags of {release.family.arch}")
        for flag in release.all_flags(program):
            flag.add_to(group)
        from tf_pose3d.models.family import FAMILIES

        short = FAMILIES[release.family.arch][0]
        given = accept_release_flags(short, program, given, parser.names(), lambda line: _say(program, line))
        parser.epilog = _describe(release.family)
    parsed = parser.parse_args(given)
    if release is None:
        raise Pose3DError(
            "which model family? Give a --config with ARCH, weights that hold their config, or --arch "
            "(weights of the original releases hold none: give the config file beside them); e.g. "
            f"{_EXAMPLES[program]}"
        )
    apart = program != "train" and release.family.splits_batches and not parsed.jit_compile
    share_cores(None if apart else release.family.branches)
    if foreign is not None:
        _convert(foreign, release, parsed, program)
    named = parsed.weights
    release.complete_arguments(program, parsed)
    if parsed.weights not in (None, named):
        # A release's own flag named them, e.g. --pretrain.
        _convert_others(parsed.weights, release, parsed, program)
    return parsed, release


def start_tensorflow(program: str = "") -> None:
    """Imports TensorFlow, tuned, without the chatter that it writes before its own log level counts.

    Args:
        program: What needs Keras's TensorFlow backend, too; `""`: nothing.

    Raises:
        Pose3DError: TensorFlow is not installed, or Keras has another backend.
    """
    require_tensorflow(program or "this")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tune_process()
    with held_stderr():
        import tensorflow as tf
        from absl import logging

        tf.config.list_physical_devices()
    # TensorFlow's Python side warns through absl of what users can do nothing about.
    logging.set_verbosity(logging.ERROR)
    if program:
        require_tensorflow_backend(program)


def run_program(
    name: str, main: Callable[[Sequence[str] | None], int | None], arguments: Sequence[str] | None = None
) -> int:
    """Runs a program and turns what goes wrong into one line and an exit code.

    Returns:
        What `main` returns, None meaning 0; 2 on bad input; 130 when interrupted; 141, without a word, where
        what reads its output has ended.
    """
    prepare_streams()
    try:
        code = main(arguments) or 0
        finish_output()
        return code
    except Pose3DError as error:
        return _fail(name, str(error))
    except ModuleNotFoundError as error:
        explained = explain_missing(error, f"this of {name}")
        if explained is None:
            raise
        return _fail(name, str(explained))
    except BrokenPipeError:
        with contextlib.suppress(BrokenPipeError, Pose3DError):
            finish_output()
        return 141
    except OSError as error:
        # Only standard output and input have no name.
        where = error.filename or "standard output or input"
        return _fail(name, f"{where}: {error.strerror or error}")
    except MemoryError:
        return _fail(name, "there is not enough memory for this; fewer frames or smaller batches need less")
    except KeyboardInterrupt:
        return _fail(name, "interrupted", 130)


def _fail(name: str, message: str, code: int = 2) -> int:
    with contextlib.suppress(BrokenPipeError, Pose3DError):
        finish_output()
    with contextlib.suppress(OSError):
        print(f"{name}: error: {' '.join(message.split())}", file=sys.stderr)
    return code
