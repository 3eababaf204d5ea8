"""Checkpoints of VideoPose3D's release."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import LAYOUTS, get_skeleton
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Choice, Converter
from tf_pose3d.weights.converters.temporal_layers import (
    dense_filter_widths,
    kernel_widths,
    network_assignments,
)

if TYPE_CHECKING:
    from tf_pose3d.models.videopose3d.config import VideoPose3DConfig
    from tf_pose3d.models.videopose3d.model import VideoPose3D

__all__ = ["VideoPose3DConverter"]

# The release's poses by number of joints, and what its detector finds where that is another number.
_POSES = {17: "h36m_17", 15: "humaneva_15", 16: "h36m_16", 20: "humaneva_20"}
_DETECTED = "coco_17"
_TRAJECTORY = "model_traj."


def _has_trajectory(checkpoint: Checkpoint) -> bool:
    return any(name.startswith(_TRAJECTORY) for name in checkpoint.tensors)


def _joints(checkpoint: Checkpoint) -> tuple[int, int]:
    """Numbers of joints that a checkpoint reads and gives.

    Raises:
        Pose3DError: No whole numbers, or a network of the trajectory.
    """
    inputs = checkpoint.tensors["expand_conv.weight"].shape[1]
    outputs = checkpoint.tensors["shrink.weight"].shape[0]
    if inputs % 2:
        raise Pose3DError(
            f"{checkpoint.source}: expand_conv.weight reads {inputs} numbers a frame, expected x and y of "
            "joints"
        )
    if outputs % 3 or outputs == 3:
        raise Pose3DError(
            f"{checkpoint.source}: shrink.weight gives {outputs} numbers, expected x, y and z of joints (a "
            "trajectory network gives 3)"
        )
    return inputs // 2, outputs // 3


class VideoPose3DConverter(Converter["VideoPose3DConfig"]):
    """Of VideoPose3D's release.

    Weights tell numbers of joints, but not which joints these are, nor whether the training was causal: what
    is supposed is said, `INPUT_SKELETON`, `SKELETON` and `CAUSAL` say otherwise.
    """

    arch = "VideoPose3D"
    telling_tensor = "expand_conv.weight"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "expand_bn.weight", "shrink.weight"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors = checkpoint.tensors
        widths = kernel_widths(checkpoint)
        channels = tensors[self.telling_tensor].shape[0]
        dense = dense_filter_widths(widths)
        return {
            "FILTER_WIDTHS": dense or widths,
            "CHANNELS": channels,
            "DENSE": dense is not None,
        }

    def suggested_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        reads, gives = _joints(checkpoint)
        values: dict[str, Any] = {"SKELETON": _POSES[gives]} if gives in _POSES else {}
        values["TRAJECTORY"] = _has_trajectory(checkpoint)
        if reads != gives and reads == get_skeleton(_DETECTED).num_joints:
            values["INPUT_SKELETON"] = _DETECTED
        return values

    def check_config(self, checkpoint: Checkpoint, config: VideoPose3DConfig) -> None:
        reads, gives = _joints(checkpoint)
        # An input layout that nobody named is no mistake of theirs.
        for key, name, joints in (
            ("SKELETON", config.SKELETON, gives),
            ("INPUT_SKELETON", config.input_skeleton, reads),
        ):
            held = get_skeleton(name).num_joints
            if held != joints:
                fitting = [layout.name for layout in LAYOUTS.values() if layout.num_joints == joints]
                expected = ", ".join(fitting) or "no layout here has so many"
                raise Pose3DError(
                    f"{checkpoint.source} reads {reads} joints a frame and gives {gives}; {key} is {name} of "
                    f"{held}, expected one of {joints}: {expected} (--set {key}=NAME)"
                )

    def choices(self, checkpoint: Checkpoint) -> list[Choice]:
        reads, gives = _joints(checkpoint)
        found = []
        # Where it reads as many joints as it gives, these may be the detector's or the poses' own.
        if reads == gives == get_skeleton(_DETECTED).num_joints:
            found.append(
                Choice(
                    ("INPUT_SKELETON",),
                    f"the {reads} joints that it reads, {_POSES[gives]}, or {_DETECTED} for "
                    "pretrained_h36m_detectron_coco.bin",
                    _POSES[gives],
                )
            )
        found.append(Choice(("CAUSAL",), "true where it was trained with --causal, else false", "false"))
        return found

    def notes(self, checkpoint: Checkpoint, config: VideoPose3DConfig, given: Collection[str]) -> list[str]:
        reads, gives = _joints(checkpoint)
        lines = []
        if _has_trajectory(checkpoint):
            what = "converted, too" if config.TRAJECTORY else "left out (TRAJECTORY false)"
            lines.append(f"{checkpoint.source}: model_traj, the network of the root's path, is {what}")
        if "INPUT_SKELETON" not in given:
            hint = ""
            if config.input_skeleton == "h36m_17":
                hint = " (coco_17 for pretrained_h36m_detectron_coco.bin)"
            lines.append(
                f"{checkpoint.source}: joints have no names in it: the {reads} that it reads are taken as "
                f"{config.input_skeleton}, the {gives} that it gives as {config.SKELETON}; "
                f"--set INPUT_SKELETON=NAME says otherwise{hint}"
            )
        if "CAUSAL" not in given:
            lines.append(
                f"{checkpoint.source}: causal or not, for training (strided) or for whole videos (dilated), "
                "weights look alike: taken as not causal, --set CAUSAL=true says otherwise"
            )
        return lines

    def assignments(self, model: VideoPose3D, config: VideoPose3DConfig) -> Iterator[Assignment]:
        yield from network_assignments(model.network)
        if model.trajectory is not None:
            yield from network_assignments(model.trajectory, _TRAJECTORY)
