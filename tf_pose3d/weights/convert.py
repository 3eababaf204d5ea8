"""Checkpoints of the original releases as models of this package."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.config import Config
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.weight_files.hdf5 import weight_fault
from tf_pose3d.weights.converters.converter import Assignment, Converter

if TYPE_CHECKING:
    import keras

    from tf_pose3d.weight_files.checkpoint import Checkpoint

__all__ = [
    "CONVERTERS",
    "another_family",
    "assignment_values",
    "convert",
    "convert_checkpoint",
    "get_converter",
]

# ARCH -> where the family's converter lives. Imported on demand.
CONVERTERS: dict[str, str] = {
    "HOIFNet": "tf_pose3d.weights.converters.hoif:HOIFNetConverter",
    "HGCN": "tf_pose3d.weights.converters.hgcn:HGCNConverter",
    "SemGCN": "tf_pose3d.weights.converters.semgcn:SemGCNConverter",
    "Martinez": "tf_pose3d.weights.converters.martinez:MartinezConverter",
    "LCN": "tf_pose3d.weights.converters.lcn:LCNConverter",
    "PoseResNet": "tf_pose3d.weights.converters.pose_resnet:PoseResNetConverter",
    "DenseWarper": "tf_pose3d.weights.converters.densewarper:DenseWarperConverter",
    "VideoPose3D": "tf_pose3d.weights.converters.videopose3d:VideoPose3DConverter",
    "RIE": "tf_pose3d.weights.converters.rie:RIEConverter",
    "EHFusion": "tf_pose3d.weights.converters.ehfusion:EHFusionConverter",
    "StridedTransformer": "tf_pose3d.weights.converters.strided:StridedTransformerConverter",
    "PoseFormer": "tf_pose3d.weights.converters.poseformer:PoseFormerConverter",
    "MotionBERT": "tf_pose3d.weights.converters.motionbert:MotionBERTConverter",
    "MotionAGFormer": "tf_pose3d.weights.converters.motionagformer:MotionAGFormerConverter",
    "MixSTE": "tf_pose3d.weights.converters.mixste:MixSTEConverter",
    "D3DP": "tf_pose3d.weights.converters.d3dp:D3DPConverter",
}


def get_converter(arch: str) -> Converter:
    """The converter of a family.

    Args:
        arch: ARCH or short name of a family.

    Raises:
        Pose3DError: An unknown family, or one whose checkpoints cannot be converted.
    """
    name = get_family(arch).arch
    if name not in CONVERTERS:
        raise Pose3DError(f"no checkpoints of {name} can be converted; of {', '.join(CONVERTERS)} they can")
    module, _, attribute = CONVERTERS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()


def convert(
    checkpoint: str | os.PathLike | Sequence[str | os.PathLike],
    arch: str,
    out: str | os.PathLike | None = None,
    log: Callable[[str], None] | None = None,
    **overrides: Any,
) -> keras.Model:
    """A model with the weights of an original release's checkpoint.

    Widths, depths and joint counts are read off the checkpoint; other config keys take the family's
    defaults.

    Args:
        checkpoint: The release's file, e.g. `ckpt_best.pth.tar`; or several files that make one model, as
            Strided Transformer's and its refine module's.
        arch: ARCH or short name of the family, e.g. `"hoif"`.
        out: `.h5` file to write weights and config to, so that `load_model(out)` needs nothing else.
        log: Takes lines about what the checkpoint holds; None: they are not said.
        **overrides: Config keys, in any case, e.g. `batch_size=64`; a family's converter may know its
            release's own names for some.

    Returns:
        The model; `model.config` is its config.

    Raises:
        Pose3DError: No checkpoint, one of another family, an override that contradicts it, missing or
            leftover tensors, tensors of another shape, NaN or infinity among them; or `out` cannot be
            written.
    """
    converter = get_converter(arch)
    held = _read(converter, checkpoint)
    model = convert_checkpoint(converter, held, overrides)
    if log is not None:
        given = {converter.key_of(name) for name in overrides}
        for line in converter.notes(held, model.config, given):
            log(line)
    if out is not None:
        save_model(model, out)
    return model


def convert_checkpoint(converter: Converter, held: Checkpoint, overrides: Mapping[str, Any]) -> keras.Model:
    """As `convert`, of a checkpoint that is read.

    Raises:
        Pose3DError: As `convert`.
    """
    config = checkpoint_config(converter, held, overrides)
    model = build_model(config)
    _assign(converter, model, config, held)
    return model


def _read(converter: Converter, checkpoint: str | os.PathLike | Sequence[str | os.PathLike]) -> Checkpoint:
    """One checkpoint of one or several files."""
    if isinstance(checkpoint, (str, os.PathLike)):
        return converter.read(checkpoint)
    parts = [converter.read(path) for path in checkpoint]
    first = parts[0]
    for other in parts[1:]:
        twice = first.tensors.keys() & other.tensors.keys()
        if twice:
            raise Pose3DError(
                f"{first.source} and {other.source} both hold {min(twice)}; give files of different parts"
            )
        first = dataclasses.replace(
            first,
            source=f"{first.source} with {other.source}",
            tensors={**first.tensors, **other.tensors},
            entries={**other.entries, **first.entries},
        )
    return first


def another_family(converter: Converter, held: Checkpoint) -> str:
    """What to say of a checkpoint that a family's converter does not recognise."""
    for name in CONVERTERS:
        other = get_converter(name)
        if type(other) is not type(converter) and other.recognises(held):
            return f"{held.source} is a checkpoint of {name}, not of {converter.arch}: use --arch {name}"
    keys = ", ".join(list(held.tensors)[:4]) or "nothing"
    return (
        f"{held.source} is no checkpoint of {converter.arch}: it holds {keys}, ..., "
        f"expected {converter.telling_tensor}"
    )


def checkpoint_config(converter: Converter, held: Checkpoint, overrides: Mapping[str, Any]) -> Config:
    """The config of the network that `convert_checkpoint` makes; nothing is built.

    Raises:
        Pose3DError: A checkpoint of another family, or an override that contradicts it.
    """
    if not converter.recognises(held):
        raise Pose3DError(another_family(converter, held))
    family = get_family(converter.arch)
    found = converter.config_values(held)
    wanted = {
        converter.key_of(name): value.tolist() if hasattr(value, "tolist") else value
        for name, value in overrides.items()
    }
    for name, value in wanted.items():
        if name in found and not converter.agrees(name, found[name], value):
            raise Pose3DError(f"{held.source} has {name} {found[name]}, not {value}; leave {name} out")
    suggested = converter.suggested_values(held)
    config = family.config_class.from_dict({**suggested, **found, **wanted}, source=held.source)
    converter.check_config(held, config)
    return config


def assignment_values(
    assignments: Iterable[Assignment], held: Checkpoint, arch: str
) -> list[tuple[keras.Variable, np.ndarray]]:
    """What a checkpoint says about weights, checked; nothing is set yet.

    Args:
        assignments: Weights and where they come from.
        held: The checkpoint.
        arch: ARCH of its family, for messages.

    Raises:
        Pose3DError: A tensor is missing, of another shape, or holds NaN or infinity.
    """
    values = []
    for assignment in assignments:
        for name in assignment.sources:
            if name not in held.tensors:
                raise Pose3DError(f"{held.source} lacks {name}, which a {arch} checkpoint holds")
        arrays = [held.tensors[name] for name in assignment.sources]
        names = " + ".join(assignment.sources)
        try:
            value = np.asarray(assignment.transform(*arrays))
        except ValueError:
            value = None
        shape = tuple(assignment.variable.shape)
        if value is None or value.shape != shape:
            shapes = " + ".join(str(array.shape) for array in arrays)
            raise Pose3DError(f"{held.source}: {names} has shape {shapes}, the model's weight needs {shape}")
        fault = weight_fault(value)
        if fault:
            raise Pose3DError(f"{held.source}: {names} {fault}")
        values.append((assignment.variable, value))
    return values


def _assign(converter: Converter, model: keras.Model, config: Config, held: Checkpoint) -> None:
    """Sets every weight, or none."""
    assignments = list(converter.assignments(model, config))
    values = assignment_values(assignments, held, converter.arch)
    used = {name for assignment in assignments for name in assignment.sources}
    left = {name for name in held.tensors if not converter.ignores(name)} - used
    if left:
        some = ", ".join(sorted(left)[:4])
        raise Pose3DError(
            f"{held.source} holds {len(left)} tensors that {converter.arch} has no place for: {some}"
        )
    assigned = {id(variable) for variable, _ in values}
    forgotten = [w.path for w in model.weights if id(w) not in assigned and "seed_generator" not in w.path]
    if forgotten:
        raise RuntimeError(f"the converter of {converter.arch} leaves out {forgotten[:4]}")
    for variable, value in values:
        variable.assign(value)
