"""This package's side of `benchmark_peers.py`: what `train.py` and `eval.py` run, on given inputs."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from peer_works import Work, inputs, recording

__all__ = ["Started", "start"]


@dataclasses.dataclass(frozen=True)
class Started:
    """This package's side of a row.

    Attributes:
        call: Does the work once.
        poses: That a call gives.
        function, arguments: A function of tensors that computes the products of a call; None of recordings,
            whose passes share work.
        dtype: Of the large products' operands.
    """

    call: Callable[[], Any]
    poses: int
    function: Callable[..., Any] | None = None
    arguments: tuple[Any, ...] = ()
    dtype: str = "float32"

    def rates(self) -> dict[str, float]:
        """`flop` of the products of a call, where they can be counted, and the `peak` per second of one large
        product alone."""
        from count_flops import measured_peak, products_in

        found = {"peak": measured_peak(self.dtype)}
        if self.function is not None:
            found["flop"] = products_in(self.function, *self.arguments)
        return found


def start(work: Work, threads: int, mixed_precision: bool = False) -> Started:
    """Builds what does a row."""
    from tf_pose3d.cli.program import start_tensorflow

    if work.original == "DenseWarper":
        sys.exit("tools/benchmark_densewarper.py times this package's")
    start_tensorflow()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    from tf_pose3d.models.family import get_family
    from tf_pose3d.models.loading import load_config
    from tf_pose3d.process import split_cores

    config = load_config(work.config).replace(**work.settings)
    family = get_family(config.ARCH)
    apart = work.kind == "predict" and family.splits_batches
    of_one, beside = split_cores(None if apart else family.branches, threads)
    tf.config.threading.set_intra_op_parallelism_threads(of_one)
    tf.config.threading.set_inter_op_parallelism_threads(beside)
    if work.kind == "train":
        tf.config.experimental.enable_op_determinism()
    model = family.build_model(config)
    if mixed_precision:
        _narrow(work, model)
    makers = {"train": _train, "predict": _predict, "video": _video}
    started = makers[work.kind](work, family, config, model)
    return dataclasses.replace(started, dtype="bfloat16") if mixed_precision else started


def _narrow(work: Work, model: Any) -> None:
    """Large products in bfloat16, where `train.py` and `eval.py` have them so; elsewhere the side ends."""
    from tf_pose3d.layers.attention import MultiHeadAttention
    from tf_pose3d.layers.products import narrow_products

    attends = any(isinstance(layer, MultiHeadAttention) for layer in model._flatten_layers())
    if work.kind != "train" and attends:
        sys.exit("networks that attend are evaluated in float32, with --mixed_precision, too")
    # With fewer, training narrows whole layers.
    if narrow_products(model, "bfloat16") < 0.25:
        sys.exit("no large matrix products")


def _batch(work: Work, model: Any) -> dict[str, Any]:
    import tensorflow as tf

    from tf_pose3d.data.windows import pack_visible

    batch = {name: tf.constant(values) for name, values in inputs(work).items()}
    if work.mask_stride:
        batch.update(pack_visible(batch["stride_mask"]))
    if work.original in ("LCN", "EHFusion"):
        intrinsics = np.zeros((work.size, 11), np.float32)
        intrinsics[:, :4] = [1000, 1000, 2.3, 2.3]
        batch["intrinsics"] = tf.constant(intrinsics)
    if getattr(model, "sequence_output", "") == "pose_image_sequence":
        poses = batch.pop("pose_3d")
        batch["pose_image"] = poses - poses[:, :, :1]
    return batch


def _train(work: Work, family: Any, config: Any, model: Any) -> Started:
    import tensorflow as tf

    from tf_pose3d.training.optimizers import make_optimizer

    loss_of, optimizer = family.loss(config), make_optimizer(config, 1000)
    variables = family.trained_variables(model, config)
    optimizer.build(variables)
    batch = _batch(work, model)

    def gradients(batch: dict[str, Any]) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            loss = loss_of(model(batch, training=True), batch)
        return loss, tape.gradient(loss, [variable.value for variable in variables])

    @tf.function(autograph=False, jit_compile=config.JIT_COMPILE)
    def step(batch: dict[str, Any]) -> Any:
        loss, found = gradients(batch)
        optimizer.apply(found, variables)
        return loss

    return Started(lambda: float(step(batch)), work.size, gradients, (batch,))


def _predict(work: Work, family: Any, config: Any, model: Any) -> Started:
    import tensorflow as tf

    from tf_pose3d.evaluation.prediction import in_parts
    from tf_pose3d.layers.folding import folded_weights
    from tf_pose3d.process import cores_apart

    output = getattr(model, "sequence_output", "pose_3d")
    batch = _batch(work, model)
    batch = {name: values for name, values in batch.items() if not name.startswith("pose")}
    if work.original == "LCN":
        from tf_pose3d.models.lcn.folded import FoldedLCN

        folded = FoldedLCN(model)
        run = tf.function(folded, autograph=False)
        keypoints = batch["keypoints_2d"][:, 0]
        return Started(lambda: run(keypoints).numpy(), work.size, folded, (keypoints,))

    def whole(batch: dict[str, Any]) -> Any:
        return tf.cast(model(batch, training=False)[output], tf.float32)

    forward = in_parts(whole, cores_apart() if family.splits_batches else 1)
    jit_compile = config.JIT_COMPILE and forward is whole
    run = tf.function(forward, autograph=False, jit_compile=jit_compile)
    with folded_weights(model):
        concrete = run.get_concrete_function(batch)
    poses = work.size * (work.frames if hasattr(model, "sequence_output") else 1)
    return Started(lambda: concrete(batch).numpy(), poses, forward, (batch,))


def _video(work: Work, family: Any, config: Any, model: Any) -> Started:
    from tf_pose3d.camera import Camera
    from tf_pose3d.data.sequence import Sequence
    from tf_pose3d.data.windows import Windows
    from tf_pose3d.evaluation.keyframes import interpolate_keyframes
    from tf_pose3d.evaluation.prediction import Predictor
    from tf_pose3d.skeleton import get_skeleton

    if work.mask_stride:
        config = config.replace(MASK_STRIDE=work.mask_stride)
    skeleton = get_skeleton(family.skeleton(config))
    truth = np.zeros((work.size, work.joints, 3), np.float32)
    camera = Camera("0", 1000, 1000)
    video = Sequence("S1", "Walking", "Walking 1", skeleton, 50.0, camera, recording(work), truth)
    windows = Windows([video], family.data_spec(config, "test"))
    predictor = Predictor(model, flip=True, jit_compile=config.JIT_COMPILE)
    stride = getattr(config, "SEQUENCE_STRIDE", 1)

    def lift() -> np.ndarray:
        if stride == 1:
            return predictor(windows, config.BATCH_SIZE)
        frames = windows.centre_frames()[1]
        numbers = np.flatnonzero(frames % stride == 0)
        poses = np.zeros((work.size, work.joints, 3), np.float32)
        poses[numbers] = predictor(windows, config.BATCH_SIZE, numbers)
        interpolate_keyframes(poses, frames, stride)
        return poses

    return Started(lift, work.size)
