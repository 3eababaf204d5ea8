"""Training in stages, as RIE and EHFusion do it, and what else their configs share.

Stage 1 trains without fusion of body parts. Stage 2 takes over stage 1's encoders, leaves their weights as
they are and trains the rest. Stage 3 trains all of stage 2's network on, at a lower rate.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.models.body_part_model import BodyPartModel
from tf_pose3d.models.family import Flag
from tf_pose3d.models.temporal import TemporalConfig, TemporalFamily

if TYPE_CHECKING:
    import argparse

    from tf_pose3d.training.loop import TrainingResult

__all__ = ["StagedConfig", "StagedFamily"]

STAGES = (1, 2, 3)
# The model's arguments that training cannot change, by config key.
_SIZES = {
    "skeleton": "SKELETON",
    "filter_widths": "FILTER_WIDTHS",
    "channels": "CHANNELS",
    "latent": "LATENT_FEATURES",
    "hidden": "HIDDEN_FEATURES",
    "causal": "CAUSAL",
}


@dataclasses.dataclass
class StagedConfig(TemporalConfig):
    """Keys of RIE and EHFusion, with the releases' defaults."""

    CHANNELS: int = key(256, "Features inside the parts' temporal networks.", minimum=1)
    LATENT_FEATURES: int = key(
        256, "Features of a body part and of the whole pose: 256 with exact 2D, 512 with CPN.", minimum=4
    )
    HIDDEN_FEATURES: int = key(1024, "Features inside fully connected blocks.", minimum=1)
    DROP_RATE: float = key(0.2, "Dropout in the temporal networks.", minimum=0, maximum=0.99)
    STAGE: int = key(1, "Stage of the three-stage training.", choices=STAGES)
    FINE_TUNING_RATE: float = key(5e-4, "Initial learning rate of stage 3 with --all_stages.", minimum=0)
    OPTIMIZER: str = key(
        "TorchAdamW",
        "Adam, AdamW (TensorFlow Addons' form) or TorchAdamW (PyTorch's: decay times rate).",
        choices=("Adam", "AdamW", "TorchAdamW"),
    )
    WEIGHT_DECAY: float | None = key(
        0.01,
        "AdamW: share of a weight taken off per step, on the rate's schedule, not times the rate; "
        "TorchAdamW: times the rate.",
    )

    @property
    def in_stages(self) -> bool:
        """Whether the network is trained in three stages."""
        return True


class StagedFamily(TemporalFamily):
    """See the base class."""

    network_keys = (*TemporalFamily.network_keys, "LATENT_FEATURES", "STAGE")

    def size_flags(self) -> list[Flag]:
        return [
            Flag(
                ("-lfd", "--latent_features_dim"),
                "LATENT_FEATURES",
                "features of a body part and of the whole pose",
                int,
                metavar="N",
            ),
            Flag(("--stage",), "STAGE", "stage of the three-stage training", int, metavar="{1,2,3}"),
            Flag(("--dense",), None, "without effect, as in the releases: windows have no dense form", None),
        ]

    def training_flags(self) -> list[Flag]:
        return [
            Flag(("-s", "--stride"), None, "must be 1: a window predicts one frame", int, metavar="1"),
            Flag(("-p", "--pretrain"), None, "stage 1's weights, for stage 2", metavar="FILE"),
            Flag(("-ft", "--finetune"), None, "stage 2's weights, for stage 3", metavar="FILE"),
            Flag(("--all_stages",), None, "train the three stages one after the other", None),
        ]

    def same_network(self, key: str, held: Any, wanted: Any) -> bool:
        # Stages 2 and 3 train one network.
        return held == wanted or (key == "STAGE" and min(held, wanted) > 1)

    def complete_arguments(self, program: str, arguments: argparse.Namespace) -> None:
        super().complete_arguments(program, arguments)
        if program != "train":
            return
        if arguments.stride not in (None, 1):
            raise Pose3DError(
                f"-s {arguments.stride}: a window of {self.arch} predicts one frame, leave -s out"
            )
        if arguments.pretrain is not None and arguments.finetune is not None:
            raise Pose3DError("--pretrain starts stage 2 and --finetune stage 3; give one of them")
        given = arguments.pretrain or arguments.finetune
        if given is None:
            return
        if arguments.all_stages:
            raise Pose3DError(
                "--all-stages makes each stage's weights itself; leave --pretrain/--finetune out"
            )
        if arguments.weights is not None:
            raise Pose3DError("--weights and --pretrain/--finetune both name weights; give one of them")
        arguments.weights = given

    def training_runs(
        self, arguments: argparse.Namespace, log: Callable[[str], None]
    ) -> Iterator[argparse.Namespace]:
        """With `--all_stages` one run a stage, in `stage_N` of the output folder.

        Stages that are complete are passed over and one that was interrupted goes on, so that the same
        command line serves at any point.
        """
        if not arguments.all_stages:
            yield arguments
            return
        if arguments.out_dir is None:
            raise Pose3DError("--out_dir is missing: the folder for weights, checkpoints and logs")
        before = None
        for stage in STAGES:
            run = copy.copy(arguments)
            run.out_dir, run.stage, run.weights = (
                str(Path(arguments.out_dir) / f"stage_{stage}"),
                stage,
                before,
            )
            best = Path(run.out_dir) / _best_name(stage)
            before = str(best)
            if best.is_file():
                log(f"stage {stage} is complete: {best}")
                continue
            if stage == 3:
                run.learning_rate = self._fine_tuning_rate(arguments)
            run.continue_training = any((Path(run.out_dir) / "checkpoints").glob("cp_*.h5"))
            log(f"stage {stage}" + (", continued" if run.continue_training else ""))
            yield run

    def _fine_tuning_rate(self, arguments: argparse.Namespace) -> float:
        from tf_pose3d.cli.program import apply_flags
        from tf_pose3d.models.loading import load_config

        config = load_config(arguments.config, None, arguments.arch or self.arch)
        return apply_flags(config, arguments, self, "train").FINE_TUNING_RATE

    def check_training(self, arguments: argparse.Namespace, config: StagedConfig) -> None:
        if arguments.all_stages and not config.in_stages:
            raise Pose3DError("--all-stages is for the three-stage network; STRATEGY is not three_stage")
        if config.in_stages and config.STAGE > 1:
            if arguments.weights is None and not arguments.continue_training:
                flag = "--pretrain" if config.STAGE == 2 else "--finetune"
                raise Pose3DError(
                    f"stage {config.STAGE} needs stage {config.STAGE - 1}'s weights: give {flag} "
                    f"{_best_name(config.STAGE - 1)}, or --all-stages to train all three"
                )
        elif arguments.pretrain is not None:
            raise Pose3DError("--pretrain is for stage 2 of the three-stage training; give --stage 2 as well")

    def load_initial_weights(self, model: BodyPartModel, path: str | os.PathLike) -> None:
        """All weights; in stage 2, where the file is stage 1's, those of the encoders only.

        Raises:
            Pose3DError: The file is unreadable, or of another family, stage or size.
        """
        from tf_pose3d.models.loading import load_model
        from tf_pose3d.weight_files.hdf5 import load_weights

        source = load_model(path, arch=self.arch)
        if type(source) is not type(model):
            raise Pose3DError(f"{path} holds weights of {source.config.ARCH}, this run trains {self.arch}")
        for name, config_key in _SIZES.items():
            before, now = source.settings[name], model.settings[name]
            if before != now:
                raise Pose3DError(f"{path} holds weights of {config_key} {before}, this run says {now}")
        before, now = source.settings["stage"], model.settings["stage"]
        if before == 1 and now == 2:
            for layer, other in zip(model.first_stage_layers, source.first_stage_layers, strict=True):
                for variable, value in zip(layer.weights, other.weights, strict=True):
                    variable.assign(value)
            return
        if not self.same_network("STAGE", before, now):
            what = {0: "of the one-stage network", 1: "of stage 1"}
            raise Pose3DError(
                f"{path} holds weights {what.get(before, 'of stage 2 or 3')}, this run trains the network "
                f"{what.get(now, f'of stage {now}')}"
            )
        load_weights(model, path)

    def trained_variables(self, model: BodyPartModel, config: StagedConfig) -> list[keras.Variable]:
        """All; in stage 2 not those of the encoders, which still keep their statistics and drop features."""
        if not config.in_stages or config.STAGE != 2:
            return model.trainable_variables
        frozen = {
            id(variable) for layer in model.first_stage_layers for variable in layer.trainable_variables
        }
        return [variable for variable in model.trainable_variables if id(variable) not in frozen]

    def finish_training(
        self, config: StagedConfig, out_dir: Path, result: TrainingResult, log: Callable[[str], None]
    ) -> None:
        """Copies the best weights to the name that the releases' next step asks for."""
        best = result.best_weights or result.last_weights
        if best is None:
            return
        name = _best_name(config.STAGE) if config.in_stages else "one-stage_best_epoch.h5"
        with best.open("rb") as source, write_whole(out_dir / name) as file:
            shutil.copyfileobj(source, file)
        log(f"best weights: {out_dir / name}")


def _best_name(stage: int) -> str:
    return f"stage_{stage}_best_model.h5"
