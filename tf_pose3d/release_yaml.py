"""Configs of MotionBERT's and MotionAGFormer's releases, which are YAML, in this package's keys."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tf_pose3d.errors import Pose3DError, shown, shown_name
from tf_pose3d.types import Parsed

__all__ = ["parse_flat_yaml", "read_release_yaml"]

_SCHEDULE = "SCHEDULE_PARAMS."
# Key of the release -> key here.
_COMMON = {
    "epochs": "EPOCHS",
    "batch_size": "BATCH_SIZE",
    "learning_rate": f"{_SCHEDULE}initial_learning_rate",
    "lr_decay": f"{_SCHEDULE}decay_rate",
    "weight_decay": "WEIGHT_DECAY",
    "dim_feat": "CHANNELS",
    "dim_rep": "REPRESENTATION",
    "mlp_ratio": "MLP_RATIO",
    "num_heads": "NUM_HEADS",
    "lambda_3d_velocity": "LOSS_VELOCITY",
    "lambda_scale": "LOSS_SCALE",
}
_MOTIONBERT = {
    **_COMMON,
    "maxlen": "FRAMES",
    "depth": "LAYERS",
    "att_fuse": "ADAPTIVE_FUSION",
    "clip_len": "CLIP_FRAMES",
    "data_stride": "CLIP_STRIDE",
    "rootrel": "ROOT_RELATIVE",
    "checkpoint_frequency": "CHECKPOINT_INTERVAL",
    "synthetic": "SYNTHETIC_2D",
    "noise": "NOISE",
    "mask_ratio": "MASK_RATIO",
    "mask_T_ratio": "MASK_FRAME_RATIO",
    "partial_train": "PARTIAL_TRAIN",
    "pretrain_3d_curriculum": "CURRICULUM_EPOCHS",
}
_MOTIONAGFORMER = {
    **_COMMON,
    "n_frames": "FRAMES",
    "n_layers": "LAYERS",
    "attn_drop": "ATTENTION_DROP_RATE",
    "drop": "DROP_RATE",
    "drop_path": "DROP_PATH_RATE",
    "use_adaptive_fusion": "ADAPTIVE_FUSION",
    "qkv_bias": "QKV_BIAS",
    "hierarchical": "HIERARCHICAL",
    "neighbour_num": "NEIGHBOURS",
    "temporal_connection_len": "CHAIN_REACH",
    "root_rel": "ROOT_RELATIVE",
}
# What is only right at one value here.
_FIXED: Mapping[str, tuple[Parsed, ...]] = {
    "dim_in": (3,),
    "dim_out": (3,),
    "num_joints": (17,),
    "out_joints": (17,),
    "sample_stride": (1,),
    "act_layer": ("gelu",),
    "qkv_scale": (None,),
    "graph_only": (False,),
    "add_velocity": (False,),
    "gt_2d": (False,),
    "use_proj_as_2d": (False,),
    "dropout": (0,),
    "no_eval": (False,),
    **{f"lambda_{name}": (0,) for name in ("lv", "lg", "a", "av")},
}
# Where data lie, and what the programs are told by flags.
_ELSEWHERE = {
    *("data_root", "data_root_2d", "subset_list", "dt_file", "finetune", "train_2d", "noise_path"),
    *("d2c_params_path", "model_name", "test_augmentation", "data_augmentation"),
    *("reverse_augmentation", "out_all", "test_batch_size", "stride"),
    *("use_layer_scale", "layer_scale_init_value", "use_temporal_similarity", "use_tcn", "flip", "no_conf"),
}


def parse_flat_yaml(text: str, source: str) -> dict[str, Parsed]:
    """`key: value` lines with comments; values are numbers, true, false, null, words and lists of them.

    Raises:
        Pose3DError: A line of another form, with its number.
    """
    values: dict[str, Parsed] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.split("#", 1)[0].rstrip()
        if not line.strip() or line.strip() == "---":
            continue
        name, colon, value = line.partition(":")
        if not colon or line[0].isspace() or name.strip().startswith("-"):
            raise Pose3DError(
                f"{source}: line {number}: {shown(line.strip())}, expected key: value on one line"
            )
        values[name.strip()] = _value(value.strip())
    return values


def _value(text: str) -> Parsed:
    if text.startswith("[") and text.endswith("]"):
        return [_value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    words = {"true": True, "false": False, "null": None, "none": None, "~": None, "": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        # YAML writes 0. where JSON wants 0.0.
        return json.loads(text + "0" if text.endswith(".") else text)
    except (ValueError, RecursionError):
        return text.strip("'\"")


def read_release_yaml(text: str, source: str) -> dict[str, Parsed]:
    """The keys of this package that say what a release's config says, its family's ARCH among them.

    Raises:
        Pose3DError: A config of neither release, an unknown key, or a setting that there is not here.
    """
    held = parse_flat_yaml(text, source)
    if "n_layers" in held:
        arch, table = "MotionAGFormer", _MOTIONAGFORMER
    elif "maxlen" in held:
        arch, table = "MotionBERT", _MOTIONBERT
    else:
        raise Pose3DError(
            f"{source}: neither a config of MotionBERT (maxlen) nor of MotionAGFormer (n_layers); any other "
            "ends in .json or .txt"
        )
    values: dict[str, Parsed] = {"ARCH": arch}
    schedule = {}
    for name, value in held.items():
        if name in table:
            key = table[name]
            if key.startswith(_SCHEDULE):
                schedule[key.removeprefix(_SCHEDULE)] = value
            else:
                values[key] = value
        elif name in _FIXED:
            if value not in _FIXED[name]:
                raise Pose3DError(f"{source}: {name} is {shown(value)}, expected {_FIXED[name][0]!r}")
        elif name not in _ELSEWHERE:
            raise Pose3DError(f"{source}: unknown key {shown_name(name)} of {arch}'s release")
    if schedule:
        values["SCHEDULE_PARAMS"] = {"initial_learning_rate": 5e-4, "decay_rate": 0.99, **schedule}
    if "flip" in held:
        values.update(AUGM_FLIP_PROB=0.5 if held["flip"] else 0.0, EVAL_FLIP=bool(held["flip"]))
    if "no_conf" in held:
        values["CONFIDENCE"] = not held["no_conf"]
    if arch == "MotionAGFormer":
        _add_motionagformer(held, values, source)
    return values


def _add_motionagformer(held: dict[str, Parsed], values: dict[str, Parsed], source: str) -> None:
    if held.get("use_tcn"):
        values["TEMPORAL_GRAPH"] = "convolutions"
    elif "use_temporal_similarity" in held:
        values["TEMPORAL_GRAPH"] = "similar" if held["use_temporal_similarity"] else "chain"
    if "use_layer_scale" in held or "layer_scale_init_value" in held:
        scale = held.get("layer_scale_init_value", 1e-5)
        values["LAYER_SCALE"] = scale if held.get("use_layer_scale", True) else None
    frames = held.get("n_frames", 243)
    if not isinstance(frames, int):
        raise Pose3DError(f"{source}: n_frames is {frames!r}, expected a whole number")
    if "stride" in held:
        # Configs of MPI-INF-3DHP.
        values.update(
            CLIP_STRIDE=held["stride"],
            CLIP_TAIL="resample",
            DATASET="mpi_inf_3dhp",
            SPACE="metric",
            OPTIMIZER="Adam",
            OPTIMIZER_PARAMS={"amsgrad": True, "epsilon": 1e-8},
        )
    else:
        values["CLIP_STRIDE"] = max(frames // 3, 1)
