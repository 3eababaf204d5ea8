"""What the temporal convolution families share: config keys, windows, protocol and the releases' flags.

VideoPose3D, RIE and EHFusion come from one line of PyTorch code bases (VideoPose3D's), with one set of flags
and one way of training and evaluating.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.layers.temporal_convolution import receptive_field
from tf_pose3d.models.family import Family, Flag
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    import argparse

    import numpy as np

    from tf_pose3d.data.windows import Windows
    from tf_pose3d.evaluation.evaluate import Evaluation

__all__ = ["TemporalConfig", "TemporalFamily"]

Tensors = dict[str, Any]


@dataclasses.dataclass
class TemporalConfig(TrainingConfig):
    """Keys of the temporal convolution families, with VideoPose3D's defaults."""

    SKELETON: str = key("h36m_17", "Joint layout: h36m_17, or one of HumanEva's.")
    FILTER_WIDTHS: list[int] = key(
        [3, 3, 3, 3, 3],
        "Kernel widths, odd; a prediction is made of as many frames as their product.",
        minimum=1,
    )
    CHANNELS: int = key(1024, "Features inside the temporal networks.", minimum=1)
    DROP_RATE: float = key(0.25, "Dropout in the temporal networks.", minimum=0, maximum=0.99)
    CAUSAL: bool = key(False, "Predict from the frame itself and those before it.")
    BN_MOMENTUM_FIRST: float = key(
        0.1, "Share of a batch in running statistics in the first epoch (PyTorch's).", minimum=0, maximum=1
    )
    BN_MOMENTUM_LAST: float = key(
        0.001, "What that share decays to exponentially after the last epoch.", minimum=1e-12, maximum=1
    )
    DOWNSAMPLE: int = key(1, "Use every n-th frame, in training and evaluation.", minimum=1)
    TRAIN_FRACTION: float = key(
        1.0, "Share of each training sequence to use, one run of its frames.", minimum=0, maximum=1
    )
    BY_SUBJECT: bool = key(False, "Evaluation also reports each subject alone.")
    TRAIN_SUBSET: str = key("trainval", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("test", "Subset to validate on when no --val_subset is given.")
    BATCH_SIZE: int = key(1024, "Windows per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(80, "Epochs to train.", minimum=0)
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th validation frame is a centre.", minimum=1)
    OPTIMIZER_PARAMS: dict = key(
        {"amsgrad": True, "epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2."
    )
    SCHEDULE: str = key("EpochDecay", "Learning rate schedule.", choices=SCHEDULE_NAMES)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-3, "decay_rate": 0.95}, "Arguments of the schedule."
    )
    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE"),
    )

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        get_skeleton(self.SKELETON)
        if not self.FILTER_WIDTHS or any(width % 2 == 0 for width in self.FILTER_WIDTHS):
            raise Pose3DError(
                f"{source}: FILTER_WIDTHS is {self.FILTER_WIDTHS}, expected odd widths, e.g. [3, 3, 3]"
            )
        if not self.TRAIN_FRACTION:
            raise Pose3DError(f"{source}: TRAIN_FRACTION is 0, expected a share above 0, up to 1")

    @property
    def receptive_field(self) -> int:
        """Frames that one prediction is made of."""
        return receptive_field(self.FILTER_WIDTHS)

    def momentum(self, epoch: int) -> float:
        """Share of running statistics that a training step keeps in an epoch, counted from 1."""
        ratio = self.BN_MOMENTUM_FIRST / self.BN_MOMENTUM_LAST
        done = (epoch - 1) / max(self.EPOCHS, 1)
        return 1 - self.BN_MOMENTUM_FIRST * math.exp(-done * math.log(ratio)) if ratio else 1.0


class TemporalFamily(Family):
    """See the base class. Subclasses build the model and add the flags of its size."""

    # Config keys that say what network it is, which flags at evaluation may name but not change.
    network_keys: tuple[str, ...] = ("FILTER_WIDTHS", "CHANNELS", "CAUSAL")

    def skeleton(self, config: TemporalConfig) -> str:
        return config.SKELETON

    def datasets(self) -> tuple[str, ...]:
        """All that are videos with 2D poses of their own."""
        from tf_pose3d.data.datasets import get_pose_dataset

        return tuple(name for name in super().datasets() if get_pose_dataset(name).has_videos)

    def window_spec(self, config: TemporalConfig, split: str) -> WindowSpec:
        steps = {
            "train": config.DATASET_TRAIN_3D_SUBSAMPLE_STEP,
            "val": config.DATASET_VAL_3D_SUBSAMPLE_STEP,
            "test": config.DATASET_TEST_3D_SUBSAMPLE_STEP,
        }
        mirror = "none"
        if split == "train" and config.AUGM_FLIP_PROB > 0:
            mirror = "in_batch" if config.IN_BATCH_AUGMENT else "entries"
        return WindowSpec(
            length=config.receptive_field,
            stride=config.DOWNSAMPLE,
            step=steps[split] * config.DOWNSAMPLE,
            mirror=mirror,
            causal=config.CAUSAL,
            fraction=config.TRAIN_FRACTION if split == "train" else 1.0,
        )

    def target(self, config: TemporalConfig) -> Callable[[Tensors], Any]:
        """A function batch -> `(B, J, 3)`: the predicted frame's true pose, root-centred, metres."""
        token = self.window_spec(config, "train").target_token
        root = self.root_joint(config)

        def target(batch: Tensors) -> Any:
            pose = batch["pose_3d"][:, token]
            return pose - pose[:, root : root + 1]

        return target

    def loss(self, config: TemporalConfig) -> Callable[[Tensors, Tensors], Any]:
        """Mean joint distance in metres, root-centred."""
        target = self.target(config)
        return lambda outputs, batch: mean_joint_distance(outputs["pose_3d"], target(batch))

    def begin_epoch(self, model: keras.Model, config: TemporalConfig, epoch: int) -> None:
        """Sets the momentum of batch normalisation, which decays from epoch to epoch."""
        model.momentum.assign(config.momentum(epoch))

    def data_notes(self, config: TemporalConfig, windows: Windows) -> list[str]:
        frames = -(-windows.store.lengths // (config.DOWNSAMPLE * windows.store.multiples))
        short = int((frames < config.receptive_field).sum())
        if not short:
            return []
        return [
            f"{short} of {len(frames)} sequences are shorter than the receptive field of "
            f"{config.receptive_field} frames: their first and last frames are repeated"
        ]

    def predict(
        self,
        model: keras.Model,
        config: TemporalConfig,
        windows: Windows,
        numbers: np.ndarray | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """`(n, J, 3)` poses of windows, metres, relative to the root, camera frame."""
        from tf_pose3d.evaluation.prediction import predict_poses

        return predict_poses(
            model,
            windows,
            config.BATCH_SIZE,
            numbers,
            flip=config.EVAL_FLIP,
            jit_compile=config.JIT_COMPILE,
            progress=progress,
        )

    def evaluate(
        self, model: keras.Model, config: TemporalConfig, windows: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        from tf_pose3d.evaluation.evaluate import Evaluation
        from tf_pose3d.evaluation.videopose3d_protocol import evaluate_windows
        from tf_pose3d.progress import Progress

        sequence, frame = windows.centre_frames()
        with Progress(windows.num_centres, "evaluating") as progress:
            count = (lambda done: progress.update(steps=done)) if show_progress else None
            poses = self.predict(model, config, windows, progress=count)
        targets = windows.store.arrays["pose_3d"][windows.store.offsets[sequence] + frame]
        results = evaluate_windows(
            poses, targets, windows, root=self.root_joint(config), by_subject=config.BY_SUBJECT
        )
        yield Evaluation("", results, poses, targets, sequence, frame)

    def format_evaluation(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        from tf_pose3d.evaluation.videopose3d_protocol import format_results

        return format_results(evaluation.results, action_wise)

    def validate(
        self, model: keras.Model, config: TemporalConfig, windows: Windows, action_wise: bool
    ) -> dict[str, float]:
        import numpy as np

        from tf_pose3d.evaluation.videopose3d_protocol import evaluate_windows

        count = windows.num_centres if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES
        numbers = np.arange(count)
        sequence, frame = windows.centre_frames(numbers)
        targets = windows.store.arrays["pose_3d"][windows.store.offsets[sequence] + frame]
        poses = self.predict(model, config, windows, numbers)
        results = evaluate_windows(poses, targets, windows, root=self.root_joint(config), numbers=numbers)
        overall = results["all_frames"]
        metrics = {"loss": overall["frame_wise"]["mpjpe"] / 1000}
        parts = [("", "frame_wise"), ("AW-", "action_wise_average")][: 2 if action_wise else 1]
        for prefix, part in parts:
            values = {prefix + name.upper(): value for name, value in overall[part].items()}
            # Videos of one frame have no velocity.
            metrics.update({name: value for name, value in values.items() if value is not None})
        return metrics

    def size_flags(self) -> list[Flag]:
        """Flags that set the size of the network."""
        return []

    def training_flags(self) -> list[Flag]:
        """Further flags of training."""
        return []

    def flags(self, program: str) -> list[Flag]:
        from tf_pose3d.cli.program import as_actions

        schedule = "SCHEDULE_PARAMS"
        flags = [
            Flag(("-k",), None, "short for --keypoints", metavar="NAME"),
            Flag(
                ("-no-tta", "--no_test_time_augmentation"),
                "EVAL_FLIP",
                "predict without the mirrored pass",
                None,
                const=False,
            ),
            Flag(("-arc", "--architecture"), "FILTER_WIDTHS", "kernel widths", _widths, metavar="3,3,3"),
            Flag(("-ch", "--channels"), "CHANNELS", "features inside", int, metavar="N"),
            Flag(("--causal",), "CAUSAL", "predict from frames up to now only", None),
            *self.size_flags(),
        ]
        if program == "inference":
            return flags
        flags += [
            Flag(("-a",), None, "short for --actions", as_actions, metavar="LIST"),
            Flag(("-b",), "BATCH_SIZE", "windows at once", int, metavar="N"),
            Flag(("--downsample",), "DOWNSAMPLE", "use every n-th frame", int, metavar="N"),
            Flag(("-ste", "--subjects_test"), None, "subjects to test on", metavar="LIST"),
        ]
        if program == "eval":
            return [*flags, Flag(("--by_subject",), "BY_SUBJECT", "also report each subject", None)]
        rate = f"{schedule}.initial_learning_rate"
        return [
            *flags,
            Flag(("-str", "--subjects_train"), None, "subjects to train on", metavar="LIST"),
            Flag(("-c", "--checkpoint"), None, "short for --out_dir", metavar="DIR"),
            Flag(("-r",), None, "checkpoint of --out_dir to continue from", metavar="FILE"),
            Flag(("-e", "--epochs"), "EPOCHS", "epochs to train", int, metavar="N"),
            Flag(("-drop", "--dropout"), "DROP_RATE", "dropout rate", float, metavar="RATE"),
            Flag(("-lr", "--learning_rate"), rate, "initial learning rate", float, metavar="LR"),
            Flag(
                ("-lrd", "--lr_decay"),
                f"{schedule}.decay_rate",
                "factor of an epoch",
                float,
                metavar="FACTOR",
            ),
            Flag(
                ("-no-da", "--no_data_augmentation"),
                "AUGM_FLIP_PROB",
                "train without mirrored windows",
                None,
                const=0.0,
            ),
            Flag(("--subset",), "TRAIN_FRACTION", "share of the training frames", float, metavar="SHARE"),
            Flag(("--checkpoint_frequency",), "CHECKPOINT_INTERVAL", "epochs between", int, metavar="N"),
            Flag(("--no_eval",), None, "train without validation", None),
            Flag(
                ("--export_training_curves",),
                None,
                "accepted: curves.png and curves.csv are always written",
                None,
            ),
            *self.training_flags(),
        ]

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        _alias(arguments, "k", "keypoints", "-k")
        if program != "inference":
            _alias(arguments, "a", "actions", "-a")
        if program == "train":
            _alias(arguments, "subjects_train", "train_subset", "-str")
            _alias(arguments, "subjects_test", "val_subset", "-ste")
            _alias(arguments, "checkpoint", "out_dir", "-c")
            if arguments.no_eval:
                if arguments.export_training_curves:
                    raise Pose3DError(
                        "--export-training-curves needs the validation that --no-eval leaves out"
                    )
                arguments.val_subset = "none"
            if arguments.r is not None:
                arguments.continue_training = _find_checkpoint(arguments.r, arguments.out_dir)
            return
        if program == "eval" and arguments.subjects_test is not None:
            arguments.test_subset = arguments.subjects_test
        if arguments.weights is not None:
            self._check_network(program, arguments)

    def _check_network(self, program: str, arguments: argparse.Namespace) -> None:
        """Checks that flags which name the network name the one whose weights are read."""
        from tf_pose3d.files import resolve_weights
        from tf_pose3d.weight_files.hdf5 import read_config

        held = read_config(resolve_weights(arguments.weights)) or {}
        for flag in self.flags(program):
            given = getattr(arguments, flag.destination)
            if given is None or flag.key not in self.network_keys or flag.key not in held:
                continue
            if not self.same_network(flag.key, held[flag.key], given):
                raise Pose3DError(
                    f"{arguments.weights}: weights of {flag.key} {held[flag.key]}, "
                    f"{flag.names[0]} says {given}"
                )

    def same_network(self, key: str, held: Any, wanted: Any) -> bool:
        """Whether two values of a network key stand for one and the same network."""
        return held == wanted


def _widths(text: str) -> list[int]:
    """Kernel widths of `3,3,3`."""
    return [int(width) for width in text.split(",")]


def _alias(arguments: argparse.Namespace, short: str, name: str, flag: str) -> None:
    """Lets a release's flag stand for a flag that all families share."""
    value = getattr(arguments, short)
    if value is None:
        return
    if getattr(arguments, name) not in (None, value):
        raise Pose3DError(f"{flag} and --{name.replace('_', '-')} say different things; give one of them")
    setattr(arguments, name, value)


def _find_checkpoint(name: str, out_dir: str | None) -> Path:
    """The checkpoint that `-r` names: a path, or a file name in `checkpoints` of the output folder."""
    places = [Path(name)] if out_dir is None else [Path(out_dir) / "checkpoints" / name, Path(name)]
    for path in places:
        if path.is_file():
            return path
    raise Pose3DError(f"-r {name}: no such checkpoint, looked for {' and '.join(map(str, places))}")
