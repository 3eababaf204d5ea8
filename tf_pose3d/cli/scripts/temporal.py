"""Scripts of VideoPose3D and of those that build on it: RIE, EHFusion and PoseFormer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tf_pose3d.cli.scripts.files import find_file, is_pytorch, refuse_pytorch_state
from tf_pose3d.cli.scripts.script import (
    EVAL,
    INFERENCE,
    TRAIN,
    Given,
    Plan,
    Script,
    ScriptFlag,
    ignored,
    only,
    passed,
    read,
    refused,
)
from tf_pose3d.errors import Pose3DError

__all__ = ["PICTURE_FLAGS", "SCRIPTS", "temporal_flags", "temporal_plan"]

_RATE = "SCHEDULE_PARAMS.initial_learning_rate"
_RUN = (TRAIN, EVAL)
_LOOK = (INFERENCE,)
_SEMI = "the release reads it and trains on labelled subjects alone"

PICTURE_FLAGS: tuple[ScriptFlag, ...] = (
    passed("--viz_subject", "--viz_subject", "subject of the recording", programs=_LOOK),
    passed("--viz_action", "--viz_action", "its action", programs=_LOOK),
    passed("--viz_camera", "--viz_camera", "its camera, by number", programs=_LOOK),
    passed("--viz_video", "--viz_video", "the recording's video", programs=_LOOK),
    passed("--viz_skip", "--viz_skip", "leaves out the first frames", programs=_LOOK),
    passed("--viz_output", "--viz_output", "file of the picture", programs=_LOOK),
    passed("--viz_bitrate", "--viz_bitrate", "of .mp4 files", programs=_LOOK),
    passed("--viz_limit", "--viz_limit", "frames at most", programs=_LOOK),
    passed("--viz_downsample", "--viz_downsample", "draws every n-th frame", programs=_LOOK),
    passed("--viz_size", "--viz_size", "height in 100 pixels", programs=_LOOK),
)


def temporal_flags(
    epochs: int,
    batch: int,
    dropout: float,
    rate: float,
    decay: float,
    frequency: int = 10,
    semi_supervised: str = "read",
    mirrored_test: bool = True,
) -> tuple[ScriptFlag, ...]:
    """VideoPose3D's flags with the defaults of a release that took them over.

    Args:
        epochs, batch, dropout, rate, decay, frequency: Defaults of the training.
        semi_supervised: What it does with `-sun`: `"trained"` with it, `"read"` without effect, `"absent"`.
        mirrored_test: Whether it has `-no-tta`.
    """
    flags = [
        passed("-d --dataset", "--dataset", "data set: h36m, humaneva15, humaneva20 or custom"),
        passed("-k --keypoints", "--keypoints", "2D poses by name", "cpn_ft_h36m_dbb", always=True),
        passed("-str --subjects_train", "--train_subset", "subjects to train on", programs=(TRAIN,)),
        read(
            "-ste --subjects_test",
            "test",
            "subjects to test on: --val_subset in training, else --test_subset",
        ),
        passed("-a --actions", "--actions", "actions to read", programs=_RUN),
        read("-c --checkpoint", "folder", "folder of checkpoints: --out_dir in training", "checkpoint"),
        passed(
            "--checkpoint_frequency",
            "--checkpoint_frequency",
            "epochs between checkpoints",
            frequency,
            "CHECKPOINT_INTERVAL",
            (TRAIN,),
        ),
        read("-r --resume", "resume", "checkpoint cp_*.h5 of --out_dir to continue from"),
        read("--evaluate", "evaluate", "weights to evaluate, in -c's folder: eval.py --weights"),
        read("--render", "render", "inference.py instead of eval.py", values="none"),
        passed("--by_subject", "--by_subject", "also report each subject", programs=(EVAL,), values="none"),
        passed(
            "--export_training_curves",
            "--export_training_curves",
            "curves.png is always written",
            programs=(TRAIN,),
            values="none",
        ),
        passed("-e --epochs", "--epochs", "epochs to train", epochs, "EPOCHS", (TRAIN,)),
        passed("-b --batch_size", "-b", "windows at once", batch, "BATCH_SIZE", _RUN),
        passed("-drop --dropout", "--dropout", "dropout rate", dropout, "DROP_RATE", (TRAIN,)),
        passed("-lr --learning_rate", "--learning_rate", "initial rate", rate, _RATE, (TRAIN,)),
        passed(
            "-lrd --lr_decay",
            "--lr_decay",
            "factor of an epoch",
            decay,
            "SCHEDULE_PARAMS.decay_rate",
            (TRAIN,),
        ),
        passed(
            "-no-da --no_data_augmentation",
            "--no_data_augmentation",
            "train without mirrored windows",
            programs=(TRAIN,),
            values="none",
        ),
        passed("--subset", "--subset", "share of the training frames", 1, "TRAIN_FRACTION", (TRAIN,)),
        passed("--downsample", "--downsample", "uses every n-th frame", 1, "DOWNSAMPLE", _RUN),
        passed("--no_eval", "--no_eval", "train without validation", programs=(TRAIN,), values="none"),
        ignored("--disable_optimizations", "one set of weights has both forms, with the same result", "none"),
        *_semi_supervised_flags(semi_supervised),
        *PICTURE_FLAGS,
        passed("--viz_export", "--viz_export", "file of the poses", programs=_LOOK),
        passed(
            "--viz_no_ground_truth",
            "--viz_no_ground_truth",
            "draws no true poses",
            programs=_LOOK,
            values="none",
        ),
    ]
    if mirrored_test:
        flags.append(
            passed(
                "-no-tta --no_test_time_augmentation",
                "--no_test_time_augmentation",
                "predict without the mirrored pass",
                values="none",
            )
        )
    return tuple(flags)


def _semi_supervised_flags(use: str) -> tuple[ScriptFlag, ...]:
    """Flags of training with unlabelled subjects."""
    if use != "trained":
        of = "of semi-supervised training, for which the release has the flag alone"
        return (
            ignored("--warmup", of),
            ignored("--linear_projection", of, "none"),
            ignored("--no_bone_length", of, "none"),
            ignored("--no_proj", of, "none"),
            *((refused("-sun --subjects_unlabeled", _SEMI),) if use == "read" else ()),
        )
    alone = (TRAIN,)
    return (
        passed(
            "-sun --subjects_unlabeled", "-sun", "subjects of whom 2D poses are trained on", programs=alone
        ),
        passed("--warmup", "--warmup", "first epochs without them", programs=alone),
        passed(
            "--linear_projection",
            "--linear_projection",
            "they project without the lens's distortion",
            programs=alone,
            values="none",
        ),
        passed(
            "--no_bone_length",
            "--no_bone_length",
            "without the loss of bone lengths",
            programs=alone,
            values="none",
        ),
        passed("--no_proj", "--no_proj", "they need not project", programs=alone, values="none"),
    )


def temporal_plan(
    arch: str, config: Callable[[Given, str], str], staged: bool = False, causal: bool = False
) -> Callable[[Given], Plan]:
    """The plan of a script with VideoPose3D's flags.

    Args:
        arch: The family's short name.
        config: (flags, data set) -> the shipped config that training starts from.
        staged: Stages have folders of their own, where later ones find their weights.
        causal: Whether a PyTorch checkpoint must be told if its training was causal.
    """

    def plan(given: Given) -> Plan:
        folder = given.value("folder") or "checkpoint"
        if given.has("resume") and given.has("evaluate"):
            raise Pose3DError("--resume and --evaluate cannot both be given, as in the release")
        if given.has("evaluate"):
            return _look(given, folder)
        if given.has("render"):
            raise Pose3DError("--render needs --evaluate FILE, the weights that lift the recording")
        return _train(given, folder)

    def _look(given: Given, folder: str) -> Plan:
        made = Plan(INFERENCE if given.has("render") else EVAL)
        stages = [str(Path(folder) / f"stage_{number}") for number in (1, 2, 3)] if staged else []
        weights = find_file("--evaluate", given.value("evaluate") or "", [folder, *stages], made.notes)
        made.arguments += ["--arch", arch, "--weights", weights]
        if causal and is_pytorch(weights):
            if not given.has("--causal"):
                made.arguments += ["--set", "CAUSAL=false"]
            if given.value("--dataset") in (None, "h36m"):
                made.arguments += ["--set", f"INPUT_SKELETON={_detected_layout(given)}"]
            elif given.value("--dataset") == "custom":
                # What prepare_data_2d_custom.py writes, and the release's network for it reads.
                made.arguments += ["--set", "INPUT_SKELETON=coco_17"]
        if made.program == EVAL and given.has("test"):
            made.arguments += ["--test_subset", given.value("test") or ""]
        return made

    def _train(given: Given, folder: str) -> Plan:
        made = Plan(TRAIN)
        dataset = given.value("--dataset") or "h36m"
        made.config = config(given, dataset)
        made.arguments += ["--config", made.config]
        if dataset == "humaneva20":
            made.arguments += ["--set", "SKELETON=humaneva_20"]
        elif dataset == "humaneva15" and "humaneva15" not in made.config:
            made.arguments += ["--set", "SKELETON=humaneva_15"]
        elif causal and _detected_layout(given) != "h36m_17":
            made.arguments += ["--set", f"INPUT_SKELETON={_detected_layout(given)}"]
        if given.has("test"):
            made.arguments += ["--val_subset", given.value("test") or ""]
        # The releases evaluate at the end.
        made.arguments += ["--test_subset", given.value("test") or "test"]
        stage = given.value("--stage") if staged else None
        out_dir = folder if stage is None else str(Path(folder) / f"stage_{stage}")
        if stage is not None:
            made.notes.append(f"the stages' runs lie in folders of their own: {out_dir}")
        made.arguments += ["--out_dir", out_dir]
        if given.has("--by_subject"):
            made.arguments += ["--set", "BY_SUBJECT=true"]
        if given.has("resume"):
            name = given.value("resume") or ""
            refuse_pytorch_state("-r", name)
            made.arguments += ["-r", name]
        for role, number in (("pretrain", 1), ("finetune", 2)):
            if given.has(role):
                places = [folder, str(Path(folder) / f"stage_{number}")]
                weights = find_file(f"--{role}", given.value(role) or "", places, made.notes)
                made.arguments += [f"--{role}", weights]
        return made

    return plan


def _detected_layout(given: Given) -> str:
    """The layout of Human3.6M's 2D poses, which their name tells."""
    return "coco_17" if (given.value("--keypoints") or "").endswith("coco") else "h36m_17"


def _videopose3d_config(given: Given, dataset: str) -> str:
    if dataset.startswith("humaneva"):
        return "videopose3d_humaneva15"
    frames = {"3,3,3,3": 81, "3,3,3,3,3": 243}.get(given.value("--architecture") or "", 27)
    return f"videopose3d_{frames}"


def _rie_config(given: Given, dataset: str) -> str:
    return "rie_243_gt" if given.value("--keypoints") == "gt" else "rie_243"


def _ehfusion_config(strategy: str) -> Callable[[Given, str], str]:
    def config(given: Given, dataset: str) -> str:
        return f"ehfusion_{strategy}_gt" if given.value("--keypoints") == "gt" else f"ehfusion_{strategy}"

    return config


def _poseformer_config(given: Given, dataset: str) -> str:
    frames = given.value("--number_of_frames")
    return f"poseformer_{frames}" if frames in ("9", "27", "81") else "poseformer_81"


_VIDEOPOSE3D = (
    *temporal_flags(60, 1024, 0.25, 0.001, 0.95, semi_supervised="trained"),
    passed("-arc --architecture", "--architecture", "kernel widths", "3,3,3", "FILTER_WIDTHS"),
    passed("-ch --channels", "--channels", "features inside", 1024, "CHANNELS"),
    passed("--causal", "--causal", "predict from frames up to now only", values="none"),
    passed("-s --stride", "--stride", "frames that a window predicts", 1, "CHUNK_LENGTH", (TRAIN,)),
    passed("--dense", "--dense", "kernels that skip no frame", values="none"),
)

_STAGED = (
    *temporal_flags(80, 1024, 0.2, 0.001, 0.95, semi_supervised="absent"),
    passed("-arc --architecture", "--architecture", "kernel widths", "3,3,3,3,3", "FILTER_WIDTHS"),
    passed("-ch --channels", "--channels", "features inside", 256, "CHANNELS"),
    passed("--causal", "--causal", "predict from frames up to now only", values="none"),
    passed("-s --stride", "--stride", "must be 1: a window predicts one frame", programs=(TRAIN,)),
    passed("--dense", "--dense", "without effect, as in the release", values="none"),
    passed("--stage", "--stage", "stage of the training", 1, "STAGE"),
    passed(
        "-lfd --latent_features_dim",
        "--latent_features_dim",
        "features of a body part and of the whole pose",
        256,
        "LATENT_FEATURES",
    ),
    read("-p --pretrain", "pretrain", "stage 1's weights, in -c's folder"),
    read("-ft --finetune", "finetune", "stage 2's weights, in -c's folder"),
)

_EHFUSION = (
    *_STAGED,
    ignored("-f --number_of_frames", "follows from -arc, as in the release"),
    only("--refine", "0", "the release has no refine module"),
    only("--in_channels", "2", "2D poses have two coordinates"),
    only("--out_channels", "3", "3D poses have three coordinates"),
    only("--n_joints", "17", "the joints follow from the data set"),
)

_POSEFORMER = (
    *temporal_flags(200, 512, 0.0, 0.0001, 0.99, frequency=40, mirrored_test=False),
    only("-s --stride", "1", "a window predicts one frame"),
    ignored("--dense", "the network has no convolutions over time", "none"),
    passed("-f -frame --number_of_frames", "--frames", "frames in a window", 81, "FRAMES"),
)

SCRIPTS: tuple[Script, ...] = (
    Script(
        "videopose3d",
        "run.py",
        ("videopose3d",),
        _VIDEOPOSE3D,
        temporal_plan("videopose3d", _videopose3d_config, causal=True),
        "facebookresearch/VideoPose3D",
        (TRAIN, EVAL, INFERENCE),
    ),
    Script(
        "rie",
        "run.py",
        ("rie",),
        _STAGED,
        temporal_plan("rie", _rie_config, staged=True),
        "paTRICK-swk/Pose3D-RIE",
        (TRAIN, EVAL, INFERENCE),
    ),
    Script(
        "ehfusion",
        "run_onestage.py",
        ("ehfusion",),
        _EHFUSION,
        temporal_plan("ehfusion", _ehfusion_config("onestage_released")),
        "JihuaPeng/Grouped3DHPE",
        (TRAIN, EVAL, INFERENCE),
    ),
    Script(
        "ehfusion",
        "run_threestage.py",
        ("ehfusion",),
        _EHFUSION,
        temporal_plan("ehfusion", _ehfusion_config("threestage"), staged=True),
        "JihuaPeng/Grouped3DHPE",
        (TRAIN, EVAL, INFERENCE),
    ),
    Script(
        "poseformer",
        "run_poseformer.py",
        ("poseformer",),
        _POSEFORMER,
        temporal_plan("poseformer", _poseformer_config),
        "zczcwh/PoseFormer",
        (TRAIN, EVAL, INFERENCE),
    ),
)
