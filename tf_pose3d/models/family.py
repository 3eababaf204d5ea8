"""What a model family is to the rest of the package, and the table of all of them."""

from __future__ import annotations

import abc
import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from tf_pose3d.config import TrainingConfig, nearest
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed, Tensor, Tensors
from tf_pose3d.weight_files.hdf5 import load_weights

if TYPE_CHECKING:
    import os

    import keras

    from tf_pose3d.data.multiview.image_spec import ImageSpec

__all__ = ["FAMILIES", "Family", "Loss", "families", "get_family", "register_networks", "window_spec"]

# (outputs, batch) -> scalar mean over the batch.
Loss = Callable[[Tensors, Tensors], Tensor]
ConfigT = TypeVar("ConfigT", bound=TrainingConfig)

# ARCH -> (short name for --arch, where the family lives). Imported on demand: one family's needs are
# never another's.
FAMILIES = {
    "General": ("general", "tf_pose3d.models.general.family:GeneralFamily"),
    "UpliftUpsampleTransformer": ("uplift", "tf_pose3d.models.uplift_upsample.family:UpliftUpsample"),
    "HOIFNet": ("hoif", "tf_pose3d.models.hoif.family:HOIFNetFamily"),
    "HGCN": ("hgcn", "tf_pose3d.models.hgcn.family:HGCNFamily"),
    "SemGCN": ("semgcn", "tf_pose3d.models.semgcn.family:SemGCNFamily"),
    "Martinez": ("martinez", "tf_pose3d.models.martinez.family:MartinezFamily"),
    "LCN": ("lcn", "tf_pose3d.models.lcn.family:LCNFamily"),
    "VideoPose3D": ("videopose3d", "tf_pose3d.models.videopose3d.family:VideoPose3DFamily"),
    "RIE": ("rie", "tf_pose3d.models.rie.family:RIEFamily"),
    "EHFusion": ("ehfusion", "tf_pose3d.models.ehfusion.family:EHFusionFamily"),
    "PoseResNet": ("pose2d", "tf_pose3d.models.pose_resnet.family:PoseResNetFamily"),
    "DenseWarper": ("densewarper", "tf_pose3d.models.densewarper.family:DenseWarperFamily"),
    "StridedTransformer": ("strided", "tf_pose3d.models.strided.family:StridedTransformerFamily"),
    "PoseFormer": ("poseformer", "tf_pose3d.models.poseformer.family:PoseFormerFamily"),
    "MotionBERT": ("motionbert", "tf_pose3d.models.motionbert.family:MotionBERTFamily"),
    "MotionAGFormer": ("motionagformer", "tf_pose3d.models.motionagformer.family:MotionAGFormerFamily"),
    "MixSTE": ("mixste", "tf_pose3d.models.mixste.family:MixSTEFamily"),
    "D3DP": ("d3dp", "tf_pose3d.models.d3dp.family:D3DPFamily"),
}


class Family(abc.ABC, Generic[ConfigT]):
    """A Keras model, a config class, a loss and what data it reads, under one ARCH.

    Training, evaluation and lifting know families through this contract only. Batches and outputs are
    dicts; a family names the batch keys that it reads and never learns which data set they came from.

    Attributes:
        config_class: Its config schema, whose `ARCH_NAME` is the family's ARCH.
        protocol: How it is evaluated: a name in `tf_pose3d.evaluation.protocols.PROTOCOLS`.
        branches: Parts of about the same size that its network computes beside each other; see
            `tf_pose3d.process.split_cores`.
        splits_batches: Whether its batches are predicted in as many parts as there are cores, one on each.
        lifted_in_keras_because: Why lifting takes more than the exported pass over windows; empty: it does
            not.
    """

    config_class: ClassVar[type[TrainingConfig]]
    protocol: ClassVar[str] = "uplift"
    branches: ClassVar[int] = 1
    splits_batches: ClassVar[bool] = False
    lifted_in_keras_because: ClassVar[str] = ""

    @property
    def arch(self) -> str:
        """The ARCH of its configs."""
        return self.config_class.ARCH_NAME

    @abc.abstractmethod
    def skeleton(self, config: ConfigT) -> str:
        """Name of the joint layout of the poses that the model gives."""

    def input_skeleton(self, config: ConfigT) -> str:
        """Name of the joint layout of the 2D poses that the model reads."""
        return self.skeleton(config)

    def root_joint(self, config: ConfigT) -> int:
        """Index of the joint at which metrics align poses."""
        return get_skeleton(self.skeleton(config)).root

    @abc.abstractmethod
    def build_model(self, config: ConfigT) -> keras.Model:
        """A built model with random weights, from shapes in the config alone."""

    @abc.abstractmethod
    def data_spec(self, config: ConfigT, split: str) -> WindowSpec | ImageSpec:
        """What examples the model is given for `split`, one of `"train"`, `"val"`, `"test"`."""

    @abc.abstractmethod
    def loss(self, config: ConfigT, split: str = "train") -> Loss:
        """(outputs, batch) -> scalar mean over the batch; for `"val"` what validation reports."""

    def config_from_data(self, config: ConfigT, examples: Parsed) -> ConfigT:
        """The config with what only the training data, opened by the family's spec, decide."""
        return config

    def load_initial_weights(self, model: keras.Model, path: str | os.PathLike) -> None:
        """Sets the weights that training starts from.

        Args:
            model: Built, with random weights.
            path: `.h5` file.

        Raises:
            Pose3DError: The file is unreadable or does not fit.
        """
        load_weights(model, path)

    def trained_variables(self, model: keras.Model, config: ConfigT) -> list[keras.Variable]:
        """The weights that training changes; the others stay as they are, their layers in training mode."""
        return model.trainable_variables

    def begin_epoch(self, model: keras.Model, config: ConfigT, epoch: int) -> None:
        """Sets what in the model follows the epochs, counted from 1; called on resuming, too."""


def window_spec(family: Family, config: TrainingConfig, split: str) -> WindowSpec:
    """The data spec of a family that reads windows of sequences.

    Raises:
        Pose3DError: The family reads images.
    """
    spec = family.data_spec(config, split)
    if not isinstance(spec, WindowSpec):
        raise Pose3DError(f"{family.arch} reads images, not sequences of 2D poses")
    return spec


def get_family(name: str, source: object = None) -> Family:
    """The family of an ARCH or of a short name.

    Args:
        name: It.
        source: The file that says so, for messages.

    Raises:
        Pose3DError: Unknown name, with the nearest known one.
    """
    said = "" if source is None else f"{source}: "
    if not isinstance(name, str):
        raise Pose3DError(f"{said}ARCH is {shown(name)}, expected the name of a model family")
    for arch, (short, place) in FAMILIES.items():
        if name.lower() in (arch.lower(), short):
            module, _, attribute = place.partition(":")
            return getattr(importlib.import_module(module), attribute)()
    names = [spelled for arch, (short, _) in FAMILIES.items() for spelled in (arch, short)]
    raise Pose3DError(f"{said}unknown model family {shown(name)}{nearest(name, names)}")


def register_networks(arch: str) -> None:
    """Imports every module of a family, whose layers Keras then knows by name.

    Raises:
        Pose3DError: Unknown ARCH.
    """
    package = importlib.import_module(type(get_family(arch)).__module__.rpartition(".")[0])
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)


def families() -> dict[str, str]:
    """Short name -> ARCH of every family, as `--arch`, `build_model` and `train` take them.

    tf_pose3d.families()["martinez"]  # "Martinez"
    """
    return {short: arch for arch, (short, _) in FAMILIES.items()}
