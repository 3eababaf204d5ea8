"""What a model family is to the three programs, and the table of all of them."""

from __future__ import annotations

import abc
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.config import Config, nearest
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    import keras

    from tf_pose3d.data.windows import WindowSpec

__all__ = ["FAMILIES", "Family", "get_family"]

# ARCH -> (short name for --arch, where the family lives). Imported on demand: one family's needs are
# never another's.
FAMILIES = {
    "UpliftUpsampleTransformer": ("uplift", "tf_pose3d.models.uplift_upsample.family:UpliftUpsample"),
}


class Family(abc.ABC):
    """A Keras model, a config class, a loss and a window spec under one ARCH.

    The programs know families through this contract only. Batches and outputs are dicts; a family
    names the batch keys that it reads and never learns which data set they came from.

    Attributes:
        arch: The ARCH of its configs.
        config_class: Its config schema.
        skeleton: Name of the joint layout that it reads and writes.
    """

    arch: ClassVar[str]
    config_class: ClassVar[type[Config]]
    skeleton: ClassVar[str]

    @abc.abstractmethod
    def build_model(self, config: Config) -> keras.Model:
        """A built model with random weights, from shapes in the config alone."""

    @abc.abstractmethod
    def window_spec(self, config: Config, split: str) -> WindowSpec:
        """How sequences are cut for `split`, one of `"train"`, `"val"`, `"test"`."""

    @abc.abstractmethod
    def loss(self, config: Config) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """A function (outputs, batch) -> scalar mean loss over the batch."""

    def validation_loss(self, config: Config) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """The loss that validation reports; the training loss unless the release uses another."""
        return self.loss(config)

    def root_joint(self, config: Config) -> int:
        """Index of the joint at which metrics align poses."""
        from tf_pose3d.skeleton import get_skeleton

        return get_skeleton(self.skeleton).root

    def evaluation_settings(self, config: Config) -> list[tuple[str, Config]]:
        """(label, config) of every setting that one evaluation run reports, e.g. each s_in."""
        return [("", config)]

    def prediction_stride(self, config: Config) -> int:
        """Only frames divisible by this are predicted in evaluation; others are interpolated."""
        return 1

    def keyframe_stride(self, config: Config) -> int | None:
        """Frames divisible by this are also reported on their own; None: no such table."""
        return None


def get_family(name: str) -> Family:
    """The family of an ARCH or of a short name.

    Raises:
        Pose3DError: Unknown name, with the nearest known one.
    """
    for arch, (short, place) in FAMILIES.items():
        if name.lower() in (arch.lower(), short):
            module, _, attribute = place.partition(":")
            return getattr(importlib.import_module(module), attribute)()
    names = [spelled for arch, (short, _) in FAMILIES.items() for spelled in (arch, short)]
    raise Pose3DError(f"unknown model family {name!r}{nearest(name, names)}")
