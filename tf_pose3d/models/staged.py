"""Training in stages, as RIE and EHFusion do it, and what else their configs share.

Stage 1 trains without fusion of body parts. Stage 2 takes over stage 1's encoders, leaves their weights as
they are and trains the rest. Stage 3 trains all of stage 2's network on, at a lower rate.
"""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, TypeVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.temporal import TemporalConfig, TemporalFamily
from tf_pose3d.weight_files.hdf5 import load_weights

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.body_part_model import BodyPartModel

__all__ = ["STAGES", "StagedConfig", "StagedFamily", "same_stage", "stage_weights_name"]

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

    @property
    def weights_needed(self) -> str | None:
        if not self.in_stages or self.STAGE == 1:
            return None
        return (
            f"stage {self.STAGE} needs stage {self.STAGE - 1}'s weights, {stage_weights_name(self.STAGE - 1)}"
        )

    @property
    def best_weights_name(self) -> str:
        """What the releases' next step asks for."""
        return stage_weights_name(self.STAGE) if self.in_stages else "one-stage_best_epoch.h5"


def stage_weights_name(stage: int) -> str:
    """Name of a stage's best weights in the output folder."""
    return f"stage_{stage}_best_model.h5"


def same_stage(held: int, wanted: int) -> bool:
    """Whether two stages train one and the same network: 2 and 3 do."""
    return held == wanted or min(held, wanted) > 1


ConfigT = TypeVar("ConfigT", bound=StagedConfig)


class StagedFamily(TemporalFamily[ConfigT]):
    """A network of body parts that can be trained in stages. Subclasses build the model."""

    def load_initial_weights(self, model: BodyPartModel, path: str | os.PathLike) -> None:
        """All weights; in stage 2, where the file is stage 1's, those of the encoders only.

        Raises:
            Pose3DError: The file is unreadable, or of another family, stage or size.
        """
        from tf_pose3d.models.loading import load_model

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
        if not same_stage(before, now):
            what = {0: "of the one-stage network", 1: "of stage 1"}
            raise Pose3DError(
                f"{path} holds weights {what.get(before, 'of stage 2 or 3')}, this run trains the network "
                f"{what.get(now, f'of stage {now}')}"
            )
        load_weights(model, path)

    def trained_variables(self, model: BodyPartModel, config: ConfigT) -> list[keras.Variable]:
        """All; in stage 2 not those of the encoders, which still keep their statistics and drop features."""
        if not config.in_stages or config.STAGE != 2:
            return model.trainable_variables
        frozen = {
            id(variable) for layer in model.first_stage_layers for variable in layer.trainable_variables
        }
        return [variable for variable in model.trainable_variables if id(variable) not in frozen]
