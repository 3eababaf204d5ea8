"""Typed configuration: one schema per ARCH, loaded from the releases' JSON and .txt files.

A family's config class derives from `TrainingConfig` and adds its own keys, each an UPPER_CASE
dataclass field made by `key`. Loading checks every name, type and value, and says which is wrong and
what would be right.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin

from tf_pose3d.errors import Pose3DError, shown, shown_name
from tf_pose3d.files import write_json
from tf_pose3d.json_text import decode_text, parse_json
from tf_pose3d.release_yaml import read_release_yaml
from tf_pose3d.types import Parsed

__all__ = [
    "SCHEDULE_NAMES",
    "Config",
    "TrainingConfig",
    "key",
    "nearest",
    "read_config_file",
    "shipped_configs",
]

ConfigType = TypeVar("ConfigType", bound="Config")

SCHEDULE_NAMES = (
    "ExponentialDecay",
    "ExponentialDecayWithSteps",
    "PiecewiseConstantDecay",
    "CosineDecayRestarts",
    "StaircaseDecay",
    "EpochDecay",
    "EpochSteps",
)


def nearest(word: str, choices: typing.Iterable[str]) -> str:
    """`" (did you mean X?)"` for the choice most like `word`, or the sorted list of them."""
    choices = sorted(choices)
    match = difflib.get_close_matches(word.lower(), [choice.lower() for choice in choices], n=1, cutoff=0.6)
    if match:
        return f" (did you mean {next(c for c in choices if c.lower() == match[0])}?)"
    return f" (known: {', '.join(choices)})"


def key(
    default: Parsed,
    help: str,
    choices: tuple | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Parsed:
    """A config key: its default, one line of help with the unit, and what values are allowed."""
    metadata = {"help": help, "choices": choices, "minimum": minimum, "maximum": maximum}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: json.loads(json.dumps(default)), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _fits(value: Parsed, annotation: Parsed) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(annotation))
    if origin is list:
        return isinstance(value, list) and all(_fits(item, get_args(annotation)[0]) for item in value)
    if annotation is type(None):
        return value is None
    if annotation is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, annotation)


def _plain(values: Mapping[str, Parsed], source: str) -> dict[str, Parsed]:
    """A copy that shares nothing, of what JSON can hold."""
    try:
        return json.loads(json.dumps(dict(values)))
    except (TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise Pose3DError(f"{source}: a value that a config cannot hold: {reason}") from None


def _written(value: Parsed) -> str:
    """A value as a config file spells it, where that is short."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 200 else f"{text[:197]}..."


def _spell(annotation: Parsed) -> str:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_spell(option) for option in get_args(annotation))
    if origin is list:
        return f"a list of [{_spell(get_args(annotation)[0])}]"
    names = {
        type(None): "null",
        float: "a number",
        int: "a whole number",
        bool: "true or false",
        str: "a string",
        dict: "an object",
    }
    return names[annotation]


@dataclasses.dataclass
class Config:
    """Base of every family's config class.

    Attributes:
        ARCH: The family, e.g. `"UpliftUpsampleTransformer"`.
    """

    ARCH: str = key("", "Model family.")

    ARCH_NAME: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not self.ARCH:
            self.ARCH = self.ARCH_NAME

    @classmethod
    def from_dict(cls: type[ConfigType], values: Mapping[str, Any], source: str = "config") -> ConfigType:
        """Builds and validates a config; keys not given keep their defaults.

        Args:
            values: UPPER_CASE keys.
            source: Names the file in messages.

        Raises:
            Pose3DError: Unknown key (with the nearest known one), wrong type, value not allowed.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise Pose3DError(f"{source}: unknown key {shown_name(name)}{nearest(name, known)}")
        config = cls(**_plain(values, source))
        config.validate(source)
        return config

    @classmethod
    def load(cls: type[ConfigType], path: str | os.PathLike) -> ConfigType:
        """Reads a .json or .txt file, see `read_config_file`."""
        return cls.from_dict(read_config_file(path), source=str(path))

    def validate(self, source: str = "config") -> None:
        """Checks every value; families add what concerns several keys at once.

        Raises:
            Pose3DError: Naming the source, the key, the value and what would be right.
        """
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value, limits = getattr(self, field.name), field.metadata
            where = f"{source}: {field.name} is {_written(value)}"
            if not _fits(value, hints[field.name]):
                raise Pose3DError(f"{where}, expected {_spell(hints[field.name])}")
            if limits["choices"] is not None and value not in limits["choices"]:
                words = [str(choice) for choice in limits["choices"] if choice is not None]
                raise Pose3DError(f"{where}{nearest(str(value), words)}")
            for item in value if isinstance(value, list) else [value]:
                if not isinstance(item, (int, float)) or isinstance(item, bool):
                    continue
                if limits["minimum"] is not None and item < limits["minimum"]:
                    raise Pose3DError(f"{where}, expected at least {limits['minimum']}")
                if limits["maximum"] is not None and item > limits["maximum"]:
                    raise Pose3DError(f"{where}, expected at most {limits['maximum']}")

    def replace(self: ConfigType, **values: Any) -> ConfigType:
        """A validated copy with other values."""
        return type(self).from_dict({**self.to_dict(), **values})

    def to_dict(self) -> dict[str, Any]:
        """Every key and value, sorted by key."""
        return dict(sorted(json.loads(json.dumps(dataclasses.asdict(self))).items()))

    def save(self, path: str | os.PathLike) -> None:
        """Writes all keys as JSON, the file whole or not at all."""
        write_json(path, self.to_dict())

    @classmethod
    def describe(cls) -> list[tuple[str, str, str]]:
        """(key, default, help) of every key, in the order of the schema."""
        rows = []
        for field in dataclasses.fields(cls):
            made = field.default_factory
            default = field.default if made is dataclasses.MISSING else made()
            rows.append((field.name, json.dumps(default), field.metadata["help"]))
        return rows


@dataclasses.dataclass
class TrainingConfig(Config):
    """Keys that every family's training and evaluation share; names are the releases'."""

    DATASET: str | None = key(None, "Data set when no --dataset is given; null means h36m.")
    KEYPOINTS: str | None = key(
        None,
        "2D poses when no flag names them: data_2d_h36m_NAME.npz; null means cpn_ft_h36m_dbb, for "
        "HumanEva-I gt.",
    )
    TRAIN_SUBSET: str = key("train", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("val", "Subset to validate on when no --val_subset is given.")
    GPU_ID: int = key(0, "Which GPU to use, counted from 0; ignored where there is none.", minimum=0)
    BATCH_SIZE: int = key(256, "Windows per training step, over all replicas.", minimum=1)
    SHUFFLE_SEED: int = key(0, "Seed of shuffling, masks, cameras, dropout and initial weights.", minimum=0)
    EPOCHS: int = key(120, "Epochs to train.", minimum=0)
    STEPS_PER_EPOCH: int | None = key(
        6000, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_TRAIN_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th training frame is a centre.", minimum=1)
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(4, "Every n-th validation frame is a centre.", minimum=1)
    DATASET_TEST_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th test frame is a centre.", minimum=1)
    AUGM_FLIP_PROB: float = key(
        0.5, "Mirrored windows in training: a switch (> 0), not a probability.", minimum=0
    )
    IN_BATCH_AUGMENT: bool = key(
        False, "True: a window's mirror image follows it in the batch; false: it is an entry of its own."
    )
    VALIDATION_INTERVAL: int = key(1, "Validate every n epochs.", minimum=1)
    VALIDATION_EXAMPLES: int = key(-1, "Validation windows; -1 means all.", minimum=-1)
    EVAL_FLIP: bool = key(True, "Average the prediction with that for the mirrored input.")
    OPTIMIZER: str = key(
        "Adam",
        "Adam, AdamW (TensorFlow Addons' form) or TorchAdamW (PyTorch's: decay times rate).",
        choices=("Adam", "AdamW", "TorchAdamW"),
    )
    OPTIMIZER_PARAMS: dict = key({}, "Further arguments: amsgrad, epsilon, beta_1, beta_2.")
    EPSILON_AFTER_CORRECTION: bool = key(
        False,
        "Adam adds epsilon after the bias correction, as PyTorch does; false: before it, as TensorFlow, "
        "where it counts 31 times as much at the first step.",
    )
    MAX_NORM: float | None = key(
        None, "Scale gradients down to this global norm; null or 0: never.", minimum=0
    )
    SCHEDULE: str = key(
        "ExponentialDecay",
        "Learning rate schedule.",
        choices=SCHEDULE_NAMES,
    )
    SCHEDULE_PARAMS: dict = key({}, "Arguments of the schedule; decay_steps count training steps.")
    WEIGHT_DECAY: float | None = key(
        None,
        "AdamW: share of a weight taken off per step, on the rate's schedule, not times the rate; "
        "TorchAdamW: times the rate.",
    )
    EMA_ENABLED: bool = key(False, "Validate and save an exponential moving average of the weights.")
    EMA_DECAY: float | None = key(None, "Its decay; the first steps use less.", minimum=0, maximum=1)
    CHECKPOINT_INTERVAL: int = key(10, "Write a checkpoint every n epochs.", minimum=1)
    BEST_CHECKPOINT_METRIC: str | None = key(
        "AW-MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE"),
    )
    MIXED_PRECISION: str | None = key(
        None, "null, mixed_float16 or mixed_bfloat16.", choices=(None, "mixed_float16", "mixed_bfloat16")
    )
    JIT_COMPILE: bool = key(False, "Compile training and evaluation steps with XLA.")

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        example = {"AdamW": "4e-06", "TorchAdamW": "0.1"}.get(self.OPTIMIZER)
        if example is not None and self.WEIGHT_DECAY is None:
            raise Pose3DError(f"{source}: OPTIMIZER {self.OPTIMIZER} needs WEIGHT_DECAY, e.g. {example}")
        if self.EMA_ENABLED and self.EMA_DECAY is None:
            raise Pose3DError(f"{source}: EMA_ENABLED needs EMA_DECAY, e.g. 0.999")

    def subsample_step(self, split: str) -> int:
        """Every n-th example of `"train"`, `"val"` or `"test"` is used."""
        return {
            "train": self.DATASET_TRAIN_3D_SUBSAMPLE_STEP,
            "val": self.DATASET_VAL_3D_SUBSAMPLE_STEP,
            "test": self.DATASET_TEST_3D_SUBSAMPLE_STEP,
        }[split]

    def mirroring(self, split: str) -> str:
        """How mirror images come among the examples: `"none"`, `"entries"` or `"in_batch"`."""
        if split != "train" or not self.AUGM_FLIP_PROB > 0:
            return "none"
        return "in_batch" if self.IN_BATCH_AUGMENT else "entries"

    def evaluation_settings(self: ConfigType) -> list[tuple[str, ConfigType]]:
        """(label, config) of every setting that one evaluation reports, e.g. each s_in."""
        return [("", self)]

    @property
    def overlap(self) -> float:
        """Share of a clip that the next one holds, too, for networks that give every frame of a clip."""
        return 0.0

    @property
    def prediction_stride(self) -> int:
        """Only frames divisible by this are predicted in evaluation; others are interpolated."""
        return 1

    @property
    def keyframe_stride(self) -> int | None:
        """Frames divisible by this are also reported on their own; None: no such table."""
        return None

    @property
    def weights_needed(self) -> str | None:
        """What weights training must start from, for a message; None: random ones will do."""
        return None

    @property
    def best_weights_name(self) -> str | None:
        """File of the output folder to which the best weights are copied at the end; None: no copy."""
        return None


def _read_text(path: Path, text: str) -> dict[str, Any]:
    """The release's simple form: a key, a space, a JSON value on each line; # starts a comment."""
    words = {"None": "null", "True": "true", "False": "false"}
    values = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, _, value = line.partition(" ")
        value = value.strip().replace("'", '"')
        try:
            values[name] = json.loads(words.get(value, value))
        except (ValueError, RecursionError):
            raise Pose3DError(
                f"{path}: line {number}: {shown_name(name)} has no JSON value, found {shown(value)}; "
                "expected e.g. BATCH_SIZE 256"
            ) from None
    return values


def shipped_configs() -> dict[str, Path]:
    """Name to file of the configs that come with the package, e.g. `"quickstart"`, sorted by name.

    They lie in `config/` of a clone, and beside this module, in `configs/`, where the package is installed.
    """
    package = Path(__file__).resolve().parent
    installed = package / "configs"
    folder = installed if installed.is_dir() else package.parent / "config"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def _config_file(path: Path) -> Path:
    """The file that is meant by a path, or by the bare name of a shipped config."""
    if path.suffix in (".json", ".txt", ".yaml", ".yml"):
        return path
    if len(path.parts) != 1:
        raise Pose3DError(f"{path}: a config file ends in .json or .txt")
    shipped = shipped_configs()
    if path.name not in shipped:
        like = difflib.get_close_matches(path.name.lower(), shipped, n=1)
        hint = f" (did you mean {like[0]}?)" if like else ""
        raise Pose3DError(
            f"{path}: no config of this name comes with the package{hint}; those that do: "
            f"{', '.join(shipped) or 'none'}; a file of your own ends in .json or .txt"
        )
    return shipped[path.name]


def read_config_file(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a config file into a dict without checking its keys.

    Args:
        path: `.json` (an object), `.txt` (`KEY <JSON value>` on each line), or `.yaml` of MotionBERT's or
            MotionAGFormer's release; or the bare name of one of `shipped_configs`, which is found from any
            folder.

    Raises:
        Pose3DError: Missing file, other extension, unknown name (with those that ship), or text that does
            not parse (with the line).
    """
    path = _config_file(Path(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        known = isinstance(error, FileNotFoundError) and path.stem in shipped_configs()
        hint = f"; the one that comes with the package goes by its name alone, {path.stem}" if known else ""
        raise Pose3DError(f"{path}: cannot read the config: {error.strerror}{hint}") from None
    text = decode_text(content, path)
    if path.suffix == ".txt":
        return _read_text(path, text)
    if path.suffix in (".yaml", ".yml"):
        return read_release_yaml(text, str(path))
    values = parse_json(text, path)
    if not isinstance(values, dict):
        raise Pose3DError(f"{path}: expected a JSON object of UPPER_CASE keys")
    return values
