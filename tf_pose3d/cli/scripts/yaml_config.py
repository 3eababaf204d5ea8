"""A release's YAML file as a config: DenseWarper's, and those of its backbone."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tf_pose3d.config import nearest, read_config_file
from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed

__all__ = ["CAMERAS", "YamlConfig", "expand_yaml", "read_release_yaml"]

# The data set's own numbers of the cameras that a release counts from 0.
CAMERAS = {"multiview_h36m": (0, 1, 2, 3), "multiview_3dhp": (0, 2, 7, 8)}

# Sections by which files of this form are known.
_FORM = {"DATASET", "NETWORK", "POSE_RESNET", "TRAIN"}

# Section.KEY of the release -> ours.
_KEYS = {
    "DATASET.ROT_FACTOR": "ROT_FACTOR",
    "DATASET.SCALE_FACTOR": "SCALE_FACTOR",
    "NETWORK.HEATMAP_SIZE": "HEATMAP_SIZE",
    "NETWORK.IMAGE_SIZE": "IMAGE_SIZE",
    "NETWORK.SIGMA": "SIGMA",
    "POSE_RESNET.FINAL_CONV_KERNEL": "FINAL_CONV_KERNEL",
    "POSE_RESNET.DECONV_WITH_BIAS": "DECONV_WITH_BIAS",
    "POSE_RESNET.NUM_DECONV_FILTERS": "NUM_DECONV_FILTERS",
    "POSE_RESNET.NUM_LAYERS": "NUM_LAYERS",
    "TRAIN.END_EPOCH": "EPOCHS",
    "TRAIN.LR": "SCHEDULE_PARAMS.initial_learning_rate",
    "TRAIN.LR_FACTOR": "SCHEDULE_PARAMS.decay_rate",
    "TRAIN.LR_STEP": "SCHEDULE_PARAMS.decay_epochs",
}
# Those of the backbone's training alone.
_BACKBONE_KEYS = {"LOSS.USE_TARGET_WEIGHT": "USE_TARGET_WEIGHT", "TEST.POST_PROCESS": "POST_PROCESS"}
# Read by this module one by one.
_READ = {
    *("BACKBONE_MODEL", "MODEL", "GPUS", "DATA_DIR", "OUTPUT_DIR"),
    *("DATASET.TRAIN_DATASET", "DATASET.TEST_DATASET", "DATASET.ROOT", "DATASET.DATA_FORMAT"),
    *("DATASET.TRAIN_SUBSET", "DATASET.TEST_SUBSET"),
    *("NETWORK.PRETRAINED", "NETWORK.DenseWarper", "NETWORK.NUM_JOINTS", "TEST.MODEL_FILE"),
    *("TRAIN.BATCH_SIZE", "TRAIN.RESUME", "MULTI_CAMS.SELECTED_CAMS"),
}
# What may have one value only, as there is nothing else here.
_FIXED: Mapping[str, tuple[Any, ...]] = {
    "BACKBONE_MODEL": ("pose_resnet",),
    "TRAIN.OPTIMIZER": ("adam",),
    "TRAIN.BEGIN_EPOCH": (0,),
    "TRAIN.SHUFFLE": (True,),
    "NETWORK.TARGET_TYPE": ("gaussian",),
    "NETWORK.AGGRE": (False, True),
    "POSE_RESNET.NUM_DECONV_LAYERS": (3,),
    "POSE_RESNET.NUM_DECONV_KERNELS": ([4, 4, 4],),
    "DATASET.NUM_USED_JOINTS": (17,),
    "DATASET.ROOTIDX": (0,),
    "TEST.SHIFT_HEATMAP": (False,),
}
# Without effect on what is computed, whole sections with a dot at the end.
_IDLE = (
    *(
        "WORKERS",
        "PRINT_FREQ",
        "LOG_DIR",
        "CUDNN.",
        "DEBUG.",
        "PICT_STRUCT.",
        "CAM_FUSION.",
        "TEST.",
        "LOSS.",
    ),
    *("TRAIN.WD", "TRAIN.GAMMA1", "TRAIN.GAMMA2", "TRAIN.MOMENTUM", "TRAIN.NESTEROV"),
    *("DATASET.BBOX", "DATASET.NUM_VIEWS"),
)


@dataclasses.dataclass(frozen=True)
class YamlConfig:
    """What a release's YAML file says.

    Attributes:
        path: The file.
        config: Name of the shipped config that it changes.
        values: Config keys (`KEY.argument` for an argument of an object) and values.
        lines: What became what, and what has no effect, for the user.
        weights: File that `--evaluate true` or `valid.py` evaluates; empty: none is named.
        out_dir: Folder of the run.
        resume: Whether a run in that folder goes on.
        dataset: Name of the data set.
    """

    path: Path
    config: str
    values: dict[str, Any]
    lines: tuple[str, ...]
    weights: str
    out_dir: str
    resume: bool
    dataset: str

    def arguments(self) -> list[str]:
        """The same as flags of our programs: the shipped config, and what is other than there."""
        base = read_config_file(self.config)
        flags = ["--config", self.config]
        for name, value in self.values.items():
            key, dot, argument = name.partition(".")
            held = base[key].get(argument) if dot else base.get(key)
            if held != value:
                flags += ["--set", f"{name}={json.dumps(value)}"]
        return flags

    def require_weights(self, key: str) -> str:
        """The file of weights that the YAML file names.

        Raises:
            Pose3DError: It names none, or one that is not there.
        """
        if not self.weights:
            raise Pose3DError(f"{self.path}: {key} names no weights to evaluate")
        if not os.path.exists(self.weights):
            raise Pose3DError(
                f"{self.path}: {key} is {self.weights}: no such file; put the release's checkpoint there, or "
                "name another"
            )
        return self.weights


def read_release_yaml(path: str | os.PathLike[str], data_dir: str = "", out_dir: str = "") -> YamlConfig:
    """Reads a release's YAML file.

    Args:
        path: `.yaml` or `.yml`; opened by PyYAML's safe loader.
        data_dir: The release's `--dataDir`, which stands before its relative paths.
        out_dir: Its `--modelDir`, instead of OUTPUT_DIR.

    Raises:
        Pose3DError: Missing file, no YAML, an unknown key (with the nearest known one), or a value that has
            no counterpart.
    """
    path = Path(path)
    held = _flat(_load(path))
    known = {*_KEYS, *_BACKBONE_KEYS, *_READ, *_FIXED}
    unknown = [name for name in held if name not in known and not _is_idle(name)]
    if unknown:
        raise Pose3DError(f"{path}: unknown key {unknown[0]}{nearest(unknown[0], known)}")
    for name, choices in _FIXED.items():
        if name in held and held[name] not in choices:
            wanted = " or ".join(json.dumps(choice) for choice in choices)
            raise Pose3DError(
                f"{path}: {name} is {json.dumps(held[name])}, expected {wanted}: no other is here"
            )
    data_dir = data_dir or str(held.get("DATA_DIR") or "")
    backbone = _is_backbone(held, path)
    dataset = _dataset(held, path)
    stem = "pose2d" if backbone else "densewarper"
    config = f"{stem}_{'3dhp' if dataset == 'multiview_3dhp' else 'h36m'}"
    values: dict[str, Any] = {}
    lines: list[str] = []

    def give(source: str, key: str, value: Parsed) -> None:
        values[key] = value
        lines.append(f"{source} -> {key} {json.dumps(value)}")

    for source, key in {**_KEYS, **(_BACKBONE_KEYS if backbone else {})}.items():
        if source in held:
            give(source, key, held[source])
    if held.get("DATASET.ROOT"):
        give("DATASET.ROOT", "DATA_ROOT", os.path.join(data_dir, held["DATASET.ROOT"]))
    if held.get("DATASET.DATA_FORMAT"):
        give("DATASET.DATA_FORMAT", "DATA_FORMAT", held["DATASET.DATA_FORMAT"])
    if "NETWORK.NUM_JOINTS" in held:
        give("NETWORK.NUM_JOINTS", "JOINTS", _joints(held["NETWORK.NUM_JOINTS"], dataset, path))
    if "TRAIN.BATCH_SIZE" in held:
        gpus = len(str(held.get("GPUS", "0")).split(","))
        give("TRAIN.BATCH_SIZE x GPUS", "BATCH_SIZE", held["TRAIN.BATCH_SIZE"] * gpus)
    if "MULTI_CAMS.SELECTED_CAMS" in held:
        cameras = _cameras(held["MULTI_CAMS.SELECTED_CAMS"], dataset, path)
        give("MULTI_CAMS.SELECTED_CAMS", "SELECTED_CAMS", cameras)
    for source, key in (("TRAIN", "TRAIN_SUBSET"), ("TEST", "VAL_SUBSET")):
        if f"DATASET.{source}_SUBSET" in held:
            give(f"DATASET.{source}_SUBSET", key, held[f"DATASET.{source}_SUBSET"])
    if backbone:
        give(
            "DATASET.TRAIN_DATASET",
            "MIX_MPII",
            held.get("DATASET.TRAIN_DATASET") in ("mixed", "mixed_dataset"),
        )
    if held.get("NETWORK.PRETRAINED"):
        give("NETWORK.PRETRAINED", "PRETRAINED", os.path.join(data_dir, held["NETWORK.PRETRAINED"]))
    else:
        kept = read_config_file(config)["PRETRAINED"]
        lines.append(f"NETWORK.PRETRAINED is empty: training starts from {kept} (--set PRETRAINED=FILE)")
    idle = [name for name in held if _is_idle(name) and not (backbone and name in _BACKBONE_KEYS)]
    if idle:
        lines.append(f"without effect here: {', '.join(idle)}")
    weights = held.get("TEST.MODEL_FILE" if backbone else "NETWORK.DenseWarper") or ""
    folder = str(Path(out_dir or held.get("OUTPUT_DIR") or "output") / path.stem)
    return YamlConfig(
        path,
        config,
        values,
        tuple(lines),
        str(weights),
        folder,
        held.get("TRAIN.RESUME") is True,
        dataset,
    )


def _load(path: Path) -> dict[str, Any]:
    import yaml

    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Pose3DError(f"{path}: cannot read the config: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Pose3DError(f"{path}: not a text file, expected YAML") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "no YAML of plain values"
        raise Pose3DError(f"{path}: not valid YAML{where}: {what}") from None
    if not isinstance(held, dict) or not all(isinstance(name, str) for name in held):
        raise Pose3DError(f"{path}: expected a release's config, keys with values")
    return held


def _flat(held: Mapping[str, Any]) -> dict[str, Any]:
    """`SECTION.KEY` of all keys."""
    flat: dict[str, Any] = {}
    for name, value in held.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{key}": item for key, item in value.items()})
        else:
            flat[name] = value
    return flat


def _is_idle(name: str) -> bool:
    return (
        any(name == idle or (idle.endswith(".") and name.startswith(idle)) for idle in _IDLE)
        and name not in _READ
    )


def _is_backbone(held: Mapping[str, Any], path: Path) -> bool:
    model = held.get("MODEL", "dlt_3dpose_net" if "NETWORK.DenseWarper" in held else None)
    if model not in ("dlt_3dpose_net", "multiview_pose_resnet"):
        raise Pose3DError(
            f"{path}: MODEL is {model or 'missing'}, expected dlt_3dpose_net (DenseWarper) or "
            "multiview_pose_resnet (its backbone)"
        )
    return model == "multiview_pose_resnet"


def _dataset(held: Mapping[str, Any], path: Path) -> str:
    name = str(held.get("DATASET.TEST_DATASET", "multiview_h36m"))
    dataset = name.removesuffix("_2d")
    if dataset not in CAMERAS:
        raise Pose3DError(f"{path}: DATASET.TEST_DATASET is {name}, expected one of {', '.join(CAMERAS)}")
    return dataset


def _joints(count: Parsed, dataset: str, path: Path) -> str:
    layouts = {20: "union_20", 17: "mpi_inf_3dhp_17" if dataset == "multiview_3dhp" else "h36m_17"}
    if count not in layouts:
        raise Pose3DError(f"{path}: NETWORK.NUM_JOINTS is {count}, expected 20 or 17")
    return layouts[count]


def _cameras(chosen: Parsed, dataset: str, path: Path) -> list[int]:
    numbers = CAMERAS[dataset]
    if not isinstance(chosen, list) or not all(one in range(len(numbers)) for one in chosen):
        raise Pose3DError(
            f"{path}: MULTI_CAMS.SELECTED_CAMS is {chosen}, expected numbers from 0 to {len(numbers) - 1}"
        )
    return [numbers[one] for one in chosen]


def expand_yaml(arguments: list[str], log: Callable[[str], None]) -> list[str]:
    """The arguments of one of our programs, with `--config X.yaml` as the config and keys that it means.

    Args:
        arguments: Flags with `_` between words.
        log: Takes the lines that say what became what.
    """
    expanded: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name not in ("--config", "--cfg"):
            expanded.append(word)
            continue
        if not equals and words:
            value = words.pop(0)
        if not value.endswith((".yaml", ".yml")):
            expanded += ["--config", value] if value else [word]
            continue
        if not _FORM & _load(Path(value)).keys():
            # Another release's, which is no table of sections.
            expanded += ["--config", value]
            continue
        held = read_release_yaml(value)
        for line in held.lines:
            log(f"{value}: {line}")
        expanded += held.arguments()
    return expanded
