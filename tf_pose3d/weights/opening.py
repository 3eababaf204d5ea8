"""Weights in whatever file a user has: `.h5` as it is, an original release's checkpoint converted on the way.

A checkpoint is converted where the file and what the user says leave nothing open; what it cannot tell is
listed instead, with the command that converts it once for all. Nothing is written: the converted weights are
held in memory under the checkpoint's own name, see `tf_pose3d.weight_files.hdf5.hold_weights`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.config import Config, read_config_file, shipped_configs
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights
from tf_pose3d.models import loading
from tf_pose3d.models.family import families
from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.hdf5 import drop_weights, hold_weights, kind_of_weights
from tf_pose3d.weights.convert import (
    CONVERTERS,
    another_family,
    checkpoint_config,
    convert_checkpoint,
    get_converter,
)

if TYPE_CHECKING:
    import keras

    from tf_pose3d.weight_files.checkpoint import Checkpoint
    from tf_pose3d.weights.converters.converter import Converter

__all__ = ["ForeignWeights", "config_values", "converted_weights", "find_foreign_weights", "load_model"]

# `kind_of_weights` -> what messages call it.
_KINDS = {"pytorch": "a PyTorch checkpoint", "tensorflow1": "a TensorFlow 1 checkpoint"}


@dataclasses.dataclass(frozen=True)
class ForeignWeights:
    """A checkpoint of an original release, read, and whose it is.

    Attributes:
        path: As given.
        kind: `"pytorch"` or `"tensorflow1"`.
        converter: Of its family.
        held: Its content.
    """

    path: Path
    kind: str
    converter: Converter
    held: Checkpoint

    def convert(
        self,
        values: Mapping[str, Any],
        log: Callable[[str], None],
        flags: bool = True,
        start: bool = False,
        begin: Callable[[], None] | None = None,
    ) -> None:
        """Holds it converted for all who read weights by this path.

        What speaks against it as far as its tensors need not fit a network is told here; the network is
        built when the weights are read, or by `tf_pose3d.weight_files.hdf5.convert_held_weights`.

        Args:
            values: Config keys that the user says, in flags or a config file.
            log: Takes a line that says so, and what the converter notes, when the network is built.
            flags: Whether the user says things in flags, else in a config.
            start: A training starts from the weights: then `values` are the run's, which may have other
                settings (a later stage, another rate), and only what the file does not tell is taken of them.
            begin: What comes before the first import of Keras.

        Raises:
            Pose3DError: What the file does not tell is not said (the message lists it), or does not fit it.
        """
        given = {self.converter.key_of(name): value for name, value in values.items()}
        choices = self.converter.choices(self.held)
        if start:
            told = {name for choice in choices for name in choice.keys}
            given = {name: value for name, value in given.items() if name in told}
        open_choices = [choice for choice in choices if not set(choice.keys) & given.keys()]
        command = self._command(given, {choice.keys[0]: choice.example for choice in open_choices})
        if open_choices:
            wanted = "; ".join(f"{' or '.join(choice.keys)}: {choice.text}" for choice in open_choices)
            texts = [f"{choice.keys[0]}={choice.example}" for choice in open_choices]
            example = (
                " ".join(f"--set {text}" for text in texts) if flags else f"{', '.join(texts)} in a config"
            )
            raise Pose3DError(
                f"{self.path} is {_KINDS[self.kind]} of {self.converter.arch}, which does not tell {wanted}. "
                f"Say it, e.g. {example}, or convert it once: {command}"
            )
        config = checkpoint_config(self.converter, self.held, given)

        def build() -> keras.Model:
            if begin is not None:
                begin()
            model = convert_checkpoint(self.converter, self.held, given)
            for line in self.converter.notes(self.held, config, given.keys()):
                log(line)
            log(
                f"{self.path}: {_KINDS[self.kind]} of {self.converter.arch}, converted for this run; to keep "
                f"the result: {command}"
            )
            return model

        hold_weights(self.path, build, config.to_dict())

    def _command(self, given: Mapping[str, Any], examples: Mapping[str, str]) -> str:
        named = [choice.keys for choice in self.converter.choices(self.held)]
        keys = {name: given[name] for held in named for name in held if name in given} | dict(examples)
        sets = "".join(f" --set {name}={_spelled(value)}" for name, value in keys.items())
        stem = self.path.name.split(".")[0] or "weights"
        short = _short_name(self.converter.arch)
        return (
            f"python tools/convert_weights.py {shlex.quote(str(self.path))} --arch {short}{sets} "
            f"--out models/{shlex.quote(stem)}.h5"
        )


def _short_name(arch: str) -> str:
    return next(short for short, named in families().items() if named == arch)


def _spelled(value: Parsed) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else shlex.quote(str(value).replace(" ", ""))


def find_foreign_weights(path: str | os.PathLike[str], arch: str | None = None) -> ForeignWeights | None:
    """What a file of weights is, where it is a release's checkpoint; None: it is not.

    Args:
        path: A file, or what names a TensorFlow 1 checkpoint.
        arch: ARCH or short name of the family, where something says it; else the content does.

    Raises:
        Pose3DError: A checkpoint that is damaged, of another family, or of one that nothing tells.
    """
    path = Path(path)
    kind = kind_of_weights(path)
    if kind not in _KINDS:
        return None
    converters = [get_converter(name) for name in ([arch] if arch is not None else CONVERTERS)]
    reading = [converter for converter in converters if converter.kind == kind]
    if not reading:
        wanted = _KINDS[converters[0].kind]
        raise Pose3DError(f"{path} is {_KINDS[kind]}, expected {wanted} of {converters[0].arch}")
    held = reading[0].read(path)
    fitting = [converter for converter in reading if converter.recognises(held)]
    if len(fitting) == 1:
        return ForeignWeights(path, kind, fitting[0], held)
    if arch is not None:
        raise Pose3DError(another_family(reading[0], held))
    keys = ", ".join(list(held.tensors)[:4]) or "nothing"
    names = ", ".join(_short_name(converter.arch) for converter in fitting or reading)
    raise Pose3DError(
        f"{path} is {_KINDS[kind]}, {'of one of several families' if fitting else 'of no family known here'} "
        f"(it holds {keys} ...); --arch names one: {names}"
    )


@contextlib.contextmanager
def converted_weights(
    path: str | os.PathLike[str],
    config: str | os.PathLike[str] | Config | Mapping[str, Any] | None = None,
    arch: str | None = None,
    log: Callable[[str], None] = print,
    start: bool = False,
) -> Iterator[bool]:
    """Within the block, a release's checkpoint can be read as if it were an `.h5` file; others as ever.

    Gives whether it is one: then its config is read with it, too.

    Args:
        path: The file, or what names it, see `tf_pose3d.files.resolve_weights`.
        config: Config object or file, name of a shipped one, or keys of one, that say what the checkpoint
            does not.
        arch: ARCH or short name of the family.
        log: Takes a line where something is converted.
        start: See `ForeignWeights.convert`.

    Raises:
        Pose3DError: There is no such file; as `find_foreign_weights` and `ForeignWeights.convert`.
    """
    if isinstance(config, Config):
        arch = config.ARCH
    elif isinstance(config, Mapping):
        arch = config.get("ARCH") or arch
    elif config is not None:
        arch = read_config_file(config).get("ARCH") or arch
    path = resolve_weights(path)
    foreign = find_foreign_weights(path, arch)
    if foreign is None:
        yield False
        return
    foreign.convert(config_values(config, foreign), log, flags=False, start=start)
    try:
        yield True
    finally:
        drop_weights(path)


def config_values(
    config: str | os.PathLike[str] | Config | Mapping[str, Any] | None, foreign: ForeignWeights
) -> dict[str, Any]:
    """What a config says of some weights: of a user's file the keys that it states, no defaults of others.

    Args:
        config: Config, config file or name of a shipped one, or some keys; None: nothing.
        foreign: The weights.

    Raises:
        Pose3DError: As `tf_pose3d.models.loading.load_config`.
    """
    if config is None:
        return {}
    if isinstance(config, Config):
        return config.to_dict()
    if isinstance(config, Mapping):
        return dict(config)
    values = loading.load_config(config, None, foreign.converter.arch).to_dict()
    if str(config) in shipped_configs():
        return values
    return {name: values[name] for name in read_config_file(config) if name in values}


def load_model(
    weights: str | os.PathLike,
    config: str | os.PathLike | Config | None = None,
    arch: str | None = None,
) -> keras.Model:
    """A model with its weights; `model.config` is its config.

    Args:
        weights: `.h5` file, or a prefix that resolves to the first match (`logs/x/checkpoints/best`); a
            `.keras` file of `model.save`, which holds its config; or a checkpoint of an original release
            (`.bin`, `.pth`, TensorFlow 1), which is converted on the way where it and `config` tell all.
        config: Config file or object, for files that hold none (those of the original releases).
        arch: Family, where neither says.

    Returns:
        A Keras model. It takes a dict of inputs and gives a dict of outputs, among them `pose_3d`
        `(B, J, 3)`; see the family's page in the documentation.

    Raises:
        Pose3DError: Unreadable files, or weights that do not fit the config (with layer and shapes); a
            release's checkpoint that leaves something open: it is listed, with the command that converts.
    """
    if str(weights).endswith(".keras"):
        return loading.load_model(weights, config, arch)
    with converted_weights(weights, config, arch) as converted:
        return loading.load_model(weights, None if converted else config, arch)
