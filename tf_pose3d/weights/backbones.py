"""Backbones that training starts from."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights
from tf_pose3d.models.loading import load_model
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.convert import assignment_values
from tf_pose3d.weights.converters.pose_resnet import backbone_assignments, encoder_assignments

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.models.pose_resnet.model import PoseResNet

__all__ = ["load_backbone", "start_from_backbone"]


def start_from_backbone(model: keras.Model, config: TrainingConfig, log: Callable[[str], None]) -> None:
    """Loads the backbone that a config's PRETRAINED names, where it names one.

    Raises:
        Pose3DError: As `load_backbone`.
    """
    path = getattr(config, "PRETRAINED", None)
    if path is not None:
        log(load_backbone(getattr(model, "backbone", model), path, vars(config)["JOINTS"]))


def load_backbone(backbone: PoseResNet, path: str | os.PathLike, joints: str) -> str:
    """Sets a backbone's weights from another training.

    * `.h5` files of PoseResNet or DenseWarper, and PyTorch checkpoints of DenseWarper's release and of its
      backbone training: everything, but the last layer only where its joints are the same;
    * PyTorch checkpoints without `resnet.` before the names, such as PoseResNet's for COCO and torchvision's
      ResNets: the residual network alone. As in the release, deconvolutions and the last layer start anew.

    Args:
        backbone: A built network.
        path: The file, or a prefix of the path of an `.h5` file.
        joints: Layout of the backbone's heat maps.

    Returns:
        A line about what was taken.

    Raises:
        Pose3DError: The file is unreadable, of another family, or does not fit; nothing is set.
    """
    path = resolve_weights(path)
    if path.suffix == ".h5":
        return _load_h5(backbone, path, joints)
    return _load_pytorch(backbone, path)


def _load_h5(backbone: PoseResNet, path: str | os.PathLike, joints: str) -> str:
    held = load_model(path)
    source = getattr(held, "backbone", held)
    if type(source) is not type(backbone):
        raise Pose3DError(f"{path} holds {held.config.ARCH}, expected PoseResNet or DenseWarper")
    with_last = joints == held.config.JOINTS
    pairs: list[tuple[keras.Variable, keras.Variable]] = []
    for layer, other in zip(backbone.layers, source.layers, strict=True):
        if layer is backbone.final and not with_last:
            continue
        pairs += zip(layer.weights, other.weights, strict=False)
        shapes, wanted = ([tuple(w.shape) for w in one.weights] for one in (other, layer))
        if shapes != wanted:
            raise Pose3DError(
                f"{path}: its backbone is another network: {layer.name} has other shapes; make NUM_LAYERS, "
                "STAGE_CHANNELS and NUM_DECONV_FILTERS the same"
            )
    for weight, value in pairs:
        weight.assign(value)
    return _line(path, "backbone" if with_last else f"backbone without the last layer, for {joints}")


def _load_pytorch(backbone: PoseResNet, path: str | os.PathLike) -> str:
    held = read_pytorch_checkpoint(path)
    prefix = "resnet." if "resnet.conv1.weight" in held.tensors else ""
    if not prefix:
        values = assignment_values(encoder_assignments(backbone, ""), held, "PoseResNet")
        taken = "residual network"
    else:
        assignments = list(backbone_assignments(backbone, prefix))
        last = held.tensors.get(f"{prefix}final_layer.weight")
        with_last = last is not None and len(last) == backbone.settings["num_joints"]
        if not with_last:
            assignments = [one for one in assignments if "final_layer" not in one.sources[0]]
        values = assignment_values(assignments, held, "PoseResNet")
        taken = "backbone" if with_last else "backbone without the last layer"
    for variable, value in values:
        variable.assign(value)
    return _line(path, taken)


def _line(path: str | os.PathLike, taken: str) -> str:
    return f"starting from {path}: {taken}"
