"""The releases' sides of `benchmark_peers.py`: each one's own network, and its script's loss and step anew.

Networks and losses are imported from the given clone; nothing of them is part of this package.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from original_networks import original_module, original_network
from peer_works import Work, inputs, normalised, recording

__all__ = ["start"]

Run = tuple[Callable[[], Any], int]


def start(work: Work, folder: Path, threads: int, compiled: bool) -> Run:
    """(a function that does the work once, poses that it gives)."""
    if work.original in _TENSORFLOW:
        return _TENSORFLOW[work.original](work, folder, threads)
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    arrays = {} if work.kind == "video" else inputs(work)
    tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
    network, loss, optimizer = _TORCH[work.original](work, folder)
    run = torch.compile(network) if compiled else network
    if work.kind == "train":
        return _training(work, network, run, loss, optimizer, tensors)
    network.eval()
    if work.kind == "video":
        return _VIDEOS[work.original](work, run)
    keypoints = tensors["keypoints_2d"]
    if work.frames == 1:
        keypoints = keypoints[:, 0]

    def predict() -> Any:
        with torch.no_grad():
            result = _PREDICT.get(work.original, _called)(work, run, keypoints)
            return (result[0] if isinstance(result, (tuple, list)) else result).numpy()

    return predict, predict().size // (3 * work.joints)


def _called(work: Work, run: Any, keypoints: Any) -> Any:
    return run(keypoints)


def _training(work: Work, network: Any, run: Any, loss: Any, optimizer: Any, tensors: Any) -> Run:
    import torch

    keypoints = tensors["keypoints_2d"]
    poses = tensors["pose_3d"] - tensors["pose_3d"][:, :, :1]
    if work.frames == 1:
        keypoints, poses = keypoints[:, 0], poses[:, 0]
    network.train()

    def step() -> float:
        optimizer.zero_grad()
        value = loss(run, keypoints, poses)
        # MixSTE's and D3DP's scripts multiply the gradient with the loss.
        if work.original in ("MixSTE", "D3DP"):
            value.backward(value.clone().detach())
        else:
            value.backward()
        if work.original in ("SemGCN", "HOIF", "HGCN"):
            torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm=1)
        optimizer.step()
        return value.item()

    return step, work.size


class _Skeleton:
    """What the graph releases read of a skeleton."""

    def __init__(self) -> None:
        from tf_pose3d.skeleton import get_skeleton

        self._parents = get_skeleton("h36m_16").parents

    def num_joints(self) -> int:
        return len(self._parents)

    def parents(self) -> Any:
        return self._parents


def _graph(work: Work, folder: Path) -> Any:
    import torch
    from torch import nn

    error = nn.MSELoss(reduction="mean")
    if work.config == "martinez_gt":
        module = original_module("SemGCN", folder, "models.linear_model")
        network = module.LinearModel(32, 45)
        network.apply(module.init_weights)

        def loss(run: Any, keypoints: Any, poses: Any) -> Any:
            flat = run(keypoints.reshape(len(keypoints), -1))
            return error(flat.view(len(keypoints), -1, 3), poses[:, 1:])
    else:
        graphs = original_module(work.original, folder, "common.graph_utils")
        edges = graphs.adj_mx_from_skeleton(_Skeleton())
        edges = edges[0] if isinstance(edges, tuple) else edges
        module = original_module(work.original, folder)
        kind, width = {"SemGCN": ("SemGCN", 128), "HOIF": ("HGCNII", 64), "HGCN": ("HGCN", 96)}[work.original]
        network = getattr(module, kind)(edges, width, num_layers=4)

        def loss(run: Any, keypoints: Any, poses: Any) -> Any:
            return error(run(keypoints), poses)

    return network, loss, torch.optim.Adam(network.parameters(), lr=1e-3)


def _flat_if_martinez(work: Work, run: Any, keypoints: Any) -> Any:
    import torch

    if work.config != "martinez_gt":
        return run(keypoints)
    poses = run(keypoints.reshape(len(keypoints), -1)).view(len(keypoints), -1, 3)
    return torch.cat([torch.zeros(len(keypoints), 1, 3), poses], 1)


def _videopose3d(work: Work, folder: Path) -> Any:
    import torch

    module, losses = (
        original_module("VideoPose3D", folder, name) for name in ("common.model", "common.loss")
    )
    # run.py: the strided form for windows of one output, the dilated one for whole sequences.
    kind = module.TemporalModel if work.kind == "video" else module.TemporalModelOptimized1f
    network = kind(17, 2, 17, filter_widths=[3] * 5, dropout=0.25, channels=1024)

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        middle = poses.shape[1] // 2
        return losses.mpjpe(run(keypoints), poses[:, middle : middle + 1])

    return network, loss, torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)


_LEFT, _RIGHT = [4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]


def _mirrored(values: Any) -> Any:
    """Left and right exchanged, x negated; of `(..., 17, C)`."""
    image = values.clone()
    image[..., 0] *= -1
    image[..., _LEFT + _RIGHT, :] = image[..., _RIGHT + _LEFT, :]
    return image


def _whole_video(work: Work, run: Any) -> Run:
    """VideoPose3D's evaluation: a padded sequence and its mirror image in one pass of the dilated form."""
    import torch

    reach = (work.frames - 1) // 2
    pixels = np.pad(normalised(recording(work)), ((reach, reach), (0, 0), (0, 0)), "edge")
    keypoints = torch.from_numpy(pixels)[None]

    def lift() -> Any:
        with torch.no_grad():
            poses = run(torch.cat([keypoints, _mirrored(keypoints)]))
            poses[1] = _mirrored(poses[1])
            return poses.mean(dim=0).numpy()

    return lift, work.size


def _window_video(work: Work, run: Any) -> Run:
    """PoseFormer's evaluation: a window for every frame, and its mirror image."""
    import torch

    reach = (work.frames - 1) // 2
    pixels = np.pad(normalised(recording(work)), ((reach, reach), (0, 0), (0, 0)), "edge")
    windows = np.stack([pixels[first : first + work.frames] for first in range(work.size)])
    keypoints = torch.from_numpy(windows)

    def lift() -> Any:
        with torch.no_grad():
            straight, mirrored = run(keypoints), run(_mirrored(keypoints))
            return ((straight + _mirrored(mirrored)) / 2).numpy()

    return lift, work.size


def _rie(work: Work, folder: Path) -> Any:
    import torch

    module, losses = (original_module("RIE", folder, name) for name in ("common.model", "common.loss"))
    network = module.RIEModel(
        17, 2, 17, filter_widths=[3] * 5, dropout=0.2, channels=256, latten_features=256, stage=1
    )

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        middle = poses.shape[1] // 2
        return losses.mpjpe(run(keypoints), poses[:, middle : middle + 1])

    return network, loss, torch.optim.AdamW(network.parameters(), lr=1e-3, amsgrad=True)


def _strided(work: Work, folder: Path) -> Any:
    import torch

    settings = types.SimpleNamespace(
        layers=3, channel=256, d_hid=512, frames=351, stride_num=[3, 9, 13], n_joints=17, out_joints=17
    )
    network = original_module("StridedTransformer", folder).Model(settings)
    losses = original_module("StridedTransformer", folder, "common.utils")

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        middle = poses.shape[1] // 2
        centre, whole = run(keypoints)
        return losses.mpjpe_cal(whole, poses) + losses.mpjpe_cal(centre, poses[:, middle : middle + 1])

    return network, loss, torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)


def _poseformer(work: Work, folder: Path) -> Any:
    import torch

    module = original_module("PoseFormer", folder)
    losses = original_module("PoseFormer", folder, "common.loss")
    network = module.PoseTransformer(
        num_frame=81,
        num_joints=17,
        in_chans=2,
        embed_dim_ratio=32,
        depth=4,
        num_heads=8,
        mlp_ratio=2.0,
        qkv_bias=True,
        drop_path_rate=0.1 if work.kind == "train" else 0,
    )

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        middle = poses.shape[1] // 2
        return losses.mpjpe(run(keypoints), poses[:, middle : middle + 1])

    return network, loss, torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=0.1)


def _image_losses(losses: Any) -> Any:
    """MotionBERT's and MotionAGFormer's total; all seven are computed, as their scripts do."""
    weights = {"limb_var": 0.0, "limb_gt": 0.0, "angle": 0.0, "angle_velocity": 0.0}

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        pred = run(keypoints)
        total = losses.loss_mpjpe(pred, poses) + 0.5 * losses.n_mpjpe(pred, poses)
        total = total + 20 * losses.loss_velocity(pred, poses)
        total = total + weights["limb_var"] * losses.loss_limb_var(pred)
        total = total + weights["limb_gt"] * losses.loss_limb_gt(pred, poses)
        total = total + weights["angle"] * losses.loss_angle(pred, poses)
        return total + weights["angle_velocity"] * losses.loss_angle_velocity(pred, poses)

    return loss


def _motionbert(work: Work, folder: Path) -> Any:
    import torch

    network = original_network(
        "MotionBERT", folder, {"frames": work.frames, "width": 512, "depth": 5, "ratio": 2}
    )
    loss = _image_losses(original_module("MotionBERT", folder, "lib.model.loss"))
    return network, loss, torch.optim.AdamW(network.parameters(), lr=2e-4, weight_decay=0.01)


def _motionagformer(work: Work, folder: Path) -> Any:
    import torch

    width, depth = (64, 12) if work.frames == 27 else (128, 16)
    sizes = {"frames": work.frames, "width": width, "depth": depth}
    network = original_network("MotionAGFormer", folder, sizes)
    loss = _image_losses(original_module("MotionAGFormer", folder, "loss.pose3d"))
    return network, loss, torch.optim.AdamW(network.parameters(), lr=5e-4, weight_decay=0.01)


def _mixste(work: Work, folder: Path) -> Any:
    import torch

    network = original_network("MixSTE", folder, {"frames": work.frames, "width": 512, "depth": 8})
    losses = original_module("MixSTE", folder, "common.loss")
    weights = torch.tensor([1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4])

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        pred = run(keypoints)
        moved = pred[:, 1:] - pred[:, :-1]
        shares = torch.ones_like(moved) * weights[:, None]
        total = losses.weighted_mpjpe(pred, poses, weights) + 0.5 * (shares * moved.square()).mean()
        return total + 2.0 * losses.mean_velocity_error_train(pred, poses, axis=1)

    return network, loss, torch.optim.AdamW(network.parameters(), lr=4e-5, weight_decay=0.1)


def _d3dp(work: Work, folder: Path) -> Any:
    import torch

    settings = types.SimpleNamespace(
        number_of_frames=work.frames, test_time_augmentation=True, timestep=1000, scale=1.0, cs=512, dep=8
    )
    network = original_module("D3DP", folder).D3DP(
        settings,
        _LEFT,
        _RIGHT,
        is_train=work.kind == "train",
        num_proposals=work.settings.get("PROPOSALS", 1),
        sampling_timesteps=work.settings.get("SAMPLING_STEPS", 1),
    )
    losses = original_module("D3DP", folder, "common.loss")

    def loss(run: Any, keypoints: Any, poses: Any) -> Any:
        return losses.mpjpe(run(keypoints, poses), poses)

    return network, loss, torch.optim.AdamW(network.parameters(), lr=6e-5, weight_decay=0.1)


def _denoised(work: Work, run: Any, keypoints: Any) -> Any:
    return run(keypoints, None, input_2d_flip=_mirrored(keypoints))


def _uplift(work: Work, folder: Path, threads: int) -> Run:
    """The release's network and train.py's and eval.py's steps, on Keras 2."""
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.random.set_seed(0)
    module = original_module("Uplift", folder, "common.net.uplift_upsample_transformer")
    size = min(work.size, 64) if work.kind == "video" else work.size
    model = module.UpliftUpsampleTransformer(
        full_output=True,
        num_frames=71,
        num_keypoints=17,
        spatial_d_model=32,
        temporal_d_model=384,
        spatial_depth=4,
        temporal_depth=4,
        strides=[3, 10, 3],
        paddings=[[0, 0]] * 3,
        num_heads=8,
        mlp_ratio=2,
        qkv_bias=True,
        attn_drop_rate=0.0,
        drop_rate=0.0,
        drop_path_rate=[0.1, 0.1, 0.0],
        has_strided_input=True,
        first_strided_token_attention_layer=1,
    )
    model.build([(size, 71, 17, 2), (size, 71)])

    @tf.function
    def predict(keypoints: Any, mask: Any) -> Any:
        seen = keypoints * tf.cast(mask[:, :, tf.newaxis, tf.newaxis], tf.float32)
        return model([seen, mask], training=False)

    if work.kind == "video":
        return _uplift_video(work, tf, predict, size)
    arrays = {name: tf.constant(values) for name, values in inputs(work).items()}
    keypoints, poses, mask = arrays["keypoints_2d"], arrays["pose_3d"], arrays["stride_mask"]
    if work.kind == "predict":
        return lambda: predict(keypoints, mask)[1].numpy(), work.size
    optimizer = tf.keras.optimizers.legacy.Adam(4e-5, epsilon=1e-8)

    @tf.function
    def step(keypoints: Any, poses: Any, mask: Any) -> Any:
        target = poses - poses[:, :, 6:7]
        seen = keypoints * tf.cast(mask[:, :, tf.newaxis, tf.newaxis], tf.float32)
        with tf.GradientTape() as tape:
            whole, centre = model([seen, mask], training=True)
            central = tf.reduce_sum(tf.norm(target[:, 35] - centre, axis=-1)) / (work.size * 17)
            sequence = tf.reduce_sum(tf.norm(target - whole, axis=-1)) / (work.size * 71 * 17)
            loss = 0.5 * central + 0.5 * sequence
        variables = model.trainable_variables
        gradients = tape.gradient(loss, variables)
        for variable in variables:
            variable.assign_sub(4e-6 * variable)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return lambda: float(step(keypoints, poses, mask)), work.size


def _uplift_video(work: Work, tf: Any, predict: Any, size: int) -> Run:
    """eval.py's loop over batches: every frame's window and its mirror image."""
    keypoints = normalised(recording(work))
    offsets = (np.arange(work.frames) - work.frames // 2) * 5
    rows = np.clip(np.arange(work.size)[:, None] + offsets, 0, work.size - 1)
    masks = np.tile(offsets % work.mask_stride == 0, (work.size, 1))
    # As the release's generator gives them, in batches; the last is filled up.
    batches = [
        (tf.constant(keypoints[rows[first : first + size]]), tf.constant(masks[first : first + size]))
        for first in range(0, work.size - size + 1, size)
    ]
    order = [5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 10, 16, 15, 14, 13, 12, 11]

    def lift() -> np.ndarray:
        poses = []
        for window, mask in batches:
            pose = predict(window, mask)[1]
            image = tf.gather(window * [-1.0, 1.0], order, axis=2)
            other = tf.gather(predict(image, mask)[1] * [-1.0, 1.0, 1.0], order, axis=1)
            poses.append(((pose + other) / 2).numpy())
        return np.concatenate(poses)

    return lift, size * len(batches)


def _lcn(work: Work, folder: Path, threads: int) -> Run:
    """The release's graph and its session's steps."""
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf

    module = original_module("LCN", folder)
    tables = original_module("LCN", folder, "tools.filter_hub")
    near = np.eye(17, dtype=np.float32)
    for joint, others in tables.neighbour_dict_set[0].items():
        near[joint, others] = 1
    near = (np.linalg.matrix_power(near, 3) != 0).astype(np.float32)
    network = module.cgcnn(
        neighbour_matrix=near,
        num_layers=3,
        dropout=0.25,
        batch_size=work.size,
        decay_params={"decay_steps": 32000, "decay_rate": 0.96},
    )
    settings = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
    )
    session = tf.compat.v1.Session(graph=network.graph, config=settings)
    session.run(network.op_init)
    arrays = inputs(work)
    keypoints = arrays["keypoints_2d"].reshape(work.size, -1)
    if work.kind == "predict":
        feed = {network.ph_data: keypoints, network.ph_dropout: 0, network.ph_istraining: False}
        return lambda: session.run(network.op_prediction, feed), work.size
    feed = {
        network.ph_data: keypoints,
        network.ph_labels: arrays["pose_3d"].reshape(work.size, -1),
        network.ph_dropout: 0.25,
        network.ph_istraining: True,
    }
    return lambda: session.run([network.op_train, network.op_loss_average], feed), work.size


_TORCH: dict[str, Callable[[Work, Path], Any]] = {
    "SemGCN": _graph,
    "HOIF": _graph,
    "HGCN": _graph,
    "VideoPose3D": _videopose3d,
    "RIE": _rie,
    "StridedTransformer": _strided,
    "PoseFormer": _poseformer,
    "MotionBERT": _motionbert,
    "MotionAGFormer": _motionagformer,
    "MixSTE": _mixste,
    "D3DP": _d3dp,
}
_TENSORFLOW: dict[str, Callable[[Work, Path, int], Run]] = {"Uplift": _uplift, "LCN": _lcn}
_PREDICT = {"SemGCN": _flat_if_martinez, "D3DP": _denoised}
_VIDEOS = {"VideoPose3D": _whole_video, "PoseFormer": _window_video}
