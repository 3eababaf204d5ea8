"""What a family's converter says; `tf_pose3d.weights.convert` does the rest."""

from __future__ import annotations

import abc
import dataclasses
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from tf_pose3d.types import Parsed
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import Config

__all__ = ["Assignment", "Choice", "Converter"]


def _unchanged(array: np.ndarray) -> np.ndarray:
    return array


@dataclasses.dataclass(frozen=True)
class Assignment:
    """Where one weight of a model comes from.

    Attributes:
        variable: The weight.
        sources: Names of the tensors that make it, usually one.
        transform: Makes the weight's value of those tensors, e.g. a transposition.
    """

    variable: keras.Variable
    sources: tuple[str, ...]
    transform: Callable[..., np.ndarray] = _unchanged


@dataclasses.dataclass(frozen=True)
class Choice:
    """Something that a checkpoint does not tell and that changes what the model computes.

    Attributes:
        keys: Config keys, any of which says it.
        text: The values that there are, and which belongs to which release.
        example: The likeliest value of the first key, as `--set` takes it.
    """

    keys: tuple[str, ...]
    text: str
    example: str


ConfigT = TypeVar("ConfigT", bound="Config")


class Converter(abc.ABC, Generic[ConfigT]):
    """Reads checkpoints of one family's original release.

    Attributes:
        arch: The family's ARCH.
        telling_tensor: A tensor name that every checkpoint of the family holds, for messages.
        kind: Of its checkpoints, as `tf_pose3d.weight_files.hdf5.kind_of_weights` calls it.
        aliases: The release's names, in upper case, of keys that this package names otherwise.
    """

    arch: ClassVar[str]
    telling_tensor: ClassVar[str]
    kind: ClassVar[str] = "pytorch"
    aliases: ClassVar[Mapping[str, str]] = {}

    def read(self, path: str | os.PathLike) -> Checkpoint:
        """The file's content; PyTorch's format unless a family says otherwise.

        Raises:
            Pose3DError: Not such a file.
        """
        return read_pytorch_checkpoint(path)

    @abc.abstractmethod
    def recognises(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint is this family's, whatever its size."""

    @abc.abstractmethod
    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Config keys that the checkpoint's names and shapes decide: widths, depths, joints.

        Raises:
            Pose3DError: Sizes that the family cannot have.
        """

    def agrees(self, key: str, found: Parsed, wanted: Parsed) -> bool:
        """Whether a config value that a user asks for fits the one that the checkpoint decides."""
        return found == wanted

    def suggested_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        """Config keys that the checkpoint makes likely; the caller may say otherwise."""
        return {}

    def check_config(self, checkpoint: Checkpoint, config: ConfigT) -> None:
        """Checks that a config, with what the caller says, can be the checkpoint's.

        Raises:
            Pose3DError: It cannot.
        """

    def notes(self, checkpoint: Checkpoint, config: ConfigT, given: Collection[str]) -> list[str]:
        """Lines about what the checkpoint holds, or does not tell, that the user should know.

        Args:
            checkpoint: It.
            config: What it is converted under.
            given: Config keys that the caller says.
        """
        return []

    def choices(self, checkpoint: Checkpoint) -> list[Choice]:
        """What somebody must say before the checkpoint can be used; `convert` supposes the likeliest."""
        return []

    def key_of(self, name: str) -> str:
        """The config key that a caller's name means, in any case or the release's spelling."""
        return self.aliases.get(name.upper(), name.upper())

    @abc.abstractmethod
    def assignments(self, model: keras.Model, config: ConfigT) -> Iterator[Assignment]:
        """Every weight of a built model, and where it comes from."""

    def ignores(self, name: str) -> bool:
        """Whether a tensor carries nothing that the model needs."""
        return name.endswith("num_batches_tracked") or name.startswith("model_traj.")
