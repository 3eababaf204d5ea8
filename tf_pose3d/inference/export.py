"""A trained model as a SavedModel, TFLite or ONNX file, checked against the model itself."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder
from tf_pose3d.inference.export_clip import ClipForward, clip_example
from tf_pose3d.inference.export_files import Run, require_onnx, write_onnx, write_saved_model, write_tflite
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.inference.trajectory import default_camera
from tf_pose3d.ops.exporting import exporting
from tf_pose3d.types import Parsed

__all__ = ["FORMATS", "TOLERANCE", "export_model"]

FORMATS = ("saved_model", "tflite", "onnx")
# Largest difference between poses of the export and of the model, metres.
TOLERANCE = 1e-4

_FRAMES = 40
_MIRRORED_INTRINSICS = np.ones(11, np.float32)
_MIRRORED_INTRINSICS[[4, 9]] = -1

Batch = dict[str, Any]


class _Noted(dict):
    """A dict that notes which of its keys are read."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Parsed:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Parsed = None) -> Parsed:
        return self[key] if key in self else default  # noqa: SIM401


def export_model(
    model: keras.Model, path: str | Path, file_format: str, half: bool = False
) -> dict[str, Any]:
    """Writes a model's forward pass, mirrored averaging included where its config has it.

    The exported function takes a batch of windows by name, as the model reads them: `keypoints_2d
    (B, N, J, C)` in normalised screen coordinates (N = 1 for single frames) and, where the family reads
    them, `stride_mask (B, N)`, `intrinsics (B, 11)`, `root_depth (B, 1, 1)`. It gives `pose_3d (B, J, 3)`,
    metres, root-centred. The general lifter's takes one clip of any length and gives every frame, see
    `ClipForward`. The compiled operations of this package are not part of such files; `keras.ops`
    computes the same there.

    Args:
        model: With its weights; `model.config` is its config.
        path: A folder for `saved_model`, else a file.
        file_format: One of `FORMATS`. TFLite files take one window at a time.
        half: Hold weights in float16, in half the space (ONNX alone); they compute in float32.

    Returns:
        `inputs` (name -> shape), `difference_m`: the largest distance between a coordinate of the exported
        model's poses and of the model's, over `count` random `examples` (`"windows"` or `"frames"`).

    Raises:
        Pose3DError: An unknown format, a missing library, an operation that the format lacks, or poses that
            differ by more than `TOLERANCE`.
    """
    if file_format not in FORMATS:
        raise Pose3DError(f"unknown export format {file_format!r}, expected one of {', '.join(FORMATS)}")
    if half and file_format != "onnx":
        raise Pose3DError(f"float16 weights are for onnx, not for {file_format}")
    if file_format == "onnx":
        require_onnx()
    path = Path(path)
    require_writable_folder(path.parent)
    whole_clips = hasattr(model, "lift_frames")
    function: ClipForward | _Forward
    if whole_clips:
        batch = clip_example()
        function = ClipForward(model, model.config.EVAL_FLIP)
    else:
        batch = _example(model)
        function = _Forward(model, batch)
    batch = {name: batch[name] for name in function.names}
    signature = {
        name: tf.TensorSpec(_open_shape(name, values, file_format, whole_clips), values.dtype, name=name)
        for name, values in batch.items()
    }
    module = tf.Module()
    # Held, so that saving finds the weights.
    module.model = model
    module.predict = tf.function(lambda **inputs: function(inputs), autograph=False)
    writers: dict[str, Callable[[Path, tf.Module, Parsed], Run]] = {
        "saved_model": write_saved_model,
        "tflite": write_tflite,
        "onnx": functools.partial(write_onnx, half=half),
    }
    write = writers[file_format]
    with exporting():
        concrete = module.predict.get_concrete_function(**signature)
        _refuse_own_operations(concrete)
        run = write(path, module, concrete)
    expected = function(batch)
    found = run({name: values.numpy() for name, values in batch.items()})
    difference = max(float(np.abs(found[name] - expected[name].numpy()).max()) for name in expected)
    if not difference <= TOLERANCE:
        _remove(path)
        raise Pose3DError(
            f"{path}: poses of the exported model are up to {difference:.2g} m from the model's, expected "
            f"at most {TOLERANCE:g}; nothing is kept"
        )
    poses = expected["pose_3d"]
    return {
        "inputs": {name: list(spec.shape) for name, spec in signature.items()},
        "difference_m": difference,
        "count": poses.shape[1] if whole_clips else len(poses),
        "examples": "frames" if whole_clips else "windows",
    }


def _open_shape(name: str, values: tf.Tensor, file_format: str, whole_clips: bool) -> tuple[int | None, ...]:
    """Shape of an input: open in its batch (TFLite: one), or in the frames of its clip."""
    if not whole_clips:
        return (1 if file_format == "tflite" else None, *values.shape[1:])
    return (1, None, *values.shape[2:]) if name == "keypoints_2d" else tuple(values.shape)


def _example(model: keras.Model) -> Batch:
    """Windows of random keypoints with all that the family's pipeline gives."""
    lifter = Lifter(model)
    channels = lifter.spec.channels
    random = np.random.default_rng(0)
    joints = lifter.input_skeleton.num_joints
    start = random.uniform(300, 700, (1, joints, 2))
    points = start + np.cumsum(random.normal(0, 3, (_FRAMES, joints, 2)), axis=0)
    points = np.concatenate([points, np.ones((_FRAMES, joints, 1))], axis=2).astype(np.float32)
    sequence = Sequence(
        subject="",
        action="",
        name="example",
        skeleton=lifter.skeleton,
        camera=default_camera(1000, 1000),
        pose_2d=np.ascontiguousarray(points[..., :channels]),
        skeleton_2d=lifter.input_skeleton,
    )
    sequence = lifter.protocol.complete_sequence(model, model.config, sequence)
    windows = Windows([sequence], lifter.spec)
    batch = windows.batch(tf.range(0, _FRAMES, 5, tf.int64))
    # Which frames are visible is packed for speed only; the mask says the same.
    return {name: values for name, values in batch.items() if not name.startswith("visible_")}


class _Forward:
    """The model's pass over a dict of inputs, averaged with its mirror image as the config says.

    Attributes:
        names: The inputs that it reads.
    """

    def __init__(self, model: keras.Model, batch: Batch) -> None:
        noted = _Noted(batch)
        model.call(noted, training=False)
        self.names = sorted(noted.read)
        self._model = model
        lifter = Lifter(model)
        self._flips = lifter.config.EVAL_FLIP
        self._input_flip, self._flip_order = lifter.input_skeleton.flip_order, lifter.skeleton.flip_order

    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        return {"pose_3d": self._poses(batch)}

    def _poses(self, batch: Batch) -> tf.Tensor:
        poses = tf.cast(self._model(batch, training=False)["pose_3d"], tf.float32)
        if not self._flips:
            return poses
        image = {**batch, "keypoints_2d": self._mirrored(batch["keypoints_2d"], self._input_flip)}
        if "intrinsics" in batch:
            image["intrinsics"] = batch["intrinsics"] * _MIRRORED_INTRINSICS
        mirrored = tf.cast(self._model(image, training=False)["pose_3d"], tf.float32)
        return (poses + self._mirrored(mirrored, self._flip_order)) / 2

    @staticmethod
    def _mirrored(points: tf.Tensor, flip_order: tuple[int, ...]) -> tf.Tensor:
        signs = tf.constant([-1.0] + [1.0] * (points.shape[-1] - 1), points.dtype)
        return tf.gather(points, flip_order, axis=-2) * signs


def _refuse_own_operations(concrete: tf.types.experimental.ConcreteFunction) -> None:
    graph = concrete.graph.as_graph_def()
    nodes = [node.op for node in graph.node]
    nodes += [node.op for function in graph.library.function for node in function.node_def]
    own = sorted({name for name in nodes if name.startswith("TfPose3d")})
    if own:
        raise Pose3DError(
            f"the model runs compiled operations ({', '.join(own)}) that no export holds, in a function that "
            "was traced before; load the model anew and export it first"
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
