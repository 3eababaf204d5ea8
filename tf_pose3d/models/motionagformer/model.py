"""The network of MotionAGFormer."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
from keras import ops

from tf_pose3d.data.mpi_inf_3dhp import PSTMO_JOINTS
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.attention import MultiHeadAttention
from tf_pose3d.layers.drop_path import DropPath
from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.layers.layer_normalization import LayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition
from tf_pose3d.layers.space_time import AdaptiveFusion, joints_in_rows, swap_frames_and_joints
from tf_pose3d.layers.transformer import MLP
from tf_pose3d.models.motionagformer.mixers import GraphMixer, TemporalConvolutions
from tf_pose3d.models.sequence_model import ImageSequenceModel
from tf_pose3d.skeleton import get_skeleton

__all__ = ["MixerBlock", "MotionAGFormer"]

Tensor: TypeAlias = keras.KerasTensor

_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MixerBlock(keras.layers.Layer):
    """x + scale * mixer(norm(x)), then x + scale * MLP(norm(x)), with a learned scale for each feature.

    Args:
        dim: Width C.
        mixer: `"attention"`, `"joints"`, `"similar"`, `"chain"` (see `GraphMixer`) or `"convolutions"`.
        nodes: Joints or frames N.
        num_heads, qkv_bias, attention_dropout: Of attention.
        neighbours, reach: Of the frames' graphs.
        mlp_ratio: Hidden width of the MLP over C.
        dropout, drop_path: Rates.
        layer_scale: The scales' first value; None: no scales.

    Input and output: `(M, N, C)`.
    """

    def __init__(
        self,
        dim: int,
        mixer: str,
        nodes: int,
        num_heads: int = 8,
        qkv_bias: bool = False,
        attention_dropout: float = 0.0,
        neighbours: int = 2,
        reach: int = 1,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = 1e-5,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "dim": dim,
            "mixer": mixer,
            "nodes": nodes,
            "num_heads": num_heads,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "neighbours": neighbours,
            "reach": reach,
            "mlp_ratio": mlp_ratio,
            "dropout": dropout,
            "drop_path": drop_path,
            "layer_scale": layer_scale,
        }
        policy = self.dtype_policy
        self.dim, self.layer_scale = dim, layer_scale
        self.norm1 = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="norm1")
        self.mixer: keras.layers.Layer
        if mixer == "attention":
            self.mixer = MultiHeadAttention(
                dim, num_heads, qkv_bias, attention_dropout, dropout, "torch", dtype=policy, name="mha"
            )
        elif mixer == "convolutions":
            self.mixer = TemporalConvolutions(dim, dtype=policy, name="convolutions")
        else:
            self.mixer = GraphMixer(dim, nodes, mixer, neighbours, reach, dtype=policy, name="graph")
        self.norm2 = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="norm2")
        self.mlp = MLP(
            dim,
            int(dim * mlp_ratio + 1e-6),
            dropout=dropout,
            inner_dropout=dropout,
            initial="torch",
            dtype=policy,
            name="mlp",
        )
        self.drop_path = DropPath(drop_path, dtype=policy) if drop_path else None

    def build(self, input_shape: object = None) -> None:
        self.norm1.build((None, None, self.dim))
        self.mixer.build(None)
        self.norm2.build((None, None, self.dim))
        self.mlp.build()
        if self.layer_scale is not None:
            first = keras.initializers.Constant(self.layer_scale)
            self.scale1 = self.add_weight(name="scale1", shape=(self.dim,), initializer=first)
            self.scale2 = self.add_weight(name="scale2", shape=(self.dim,), initializer=first)
        self.built = True

    def _add(
        self,
        tokens: Tensor,
        branch: keras.layers.Layer,
        inputs: Tensor,
        scale: Tensor | None,
        training: bool | None,
    ) -> Tensor:
        if scale is not None and isinstance(branch, (MLP, MultiHeadAttention)):
            added = branch(inputs, scale=ops.convert_to_tensor(scale), training=training)
        else:
            added = branch(inputs, training=training)
            if scale is not None:
                added = added * ops.cast(scale, added.dtype)
        if self.drop_path is not None:
            added = self.drop_path(added, training=training)
        return tokens + added

    def call(self, tokens: Tensor, training: bool | None = None) -> Tensor:
        scales = (self.scale1, self.scale2) if self.layer_scale is not None else (None, None)
        tokens = self._add(tokens, self.mixer, self.norm1(tokens), scales[0], training)
        return self._add(tokens, self.mlp, self.norm2(tokens), scales[1], training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MotionAGFormer(ImageSequenceModel):
    """Layers of an attention branch beside a graph branch, each over joints, then over frames.

    Mehraban et al., "MotionAGFormer: enhancing 3D human pose estimation with a transformer-GCNFormer
    network", WACV 2024, and its release.

    Args:
        frames: Frames F of a clip; each has statistics of its own in the graph branch.
        channels: Numbers of a keypoint: x, y, confidence.
        width: Width of a token.
        representation: Width of the representation.
        depth: Layers.
        num_heads, mlp_ratio, qkv_bias, attention_dropout, dropout, drop_path: Of the blocks.
        layer_scale: First value of the learned scales of branches; None: none.
        adaptive_fusion: Weigh the branches by what they hold; False: their mean.
        hierarchical: Each branch has half of the features, the graph branch reads the attention branch's too,
            and nothing is fused; `adaptive_fusion` then says whether there are idle fusion weights.
        temporal: The graph branch over frames: `"similar"`, `"chain"` (see `GraphMixer`) or `"convolutions"`.
        neighbours, reach: Of the frames' graphs.
        root_relative: Poses are relative to the root, see `rooted`.
        joint_order: `"h36m"`: joints are seen in h36m_17's order; `"mpi_inf_3dhp"`: in that of P-STMO's
            files.

    Inputs and outputs as of `ImageSequenceModel`, J = 17 of h36m_17.
    """

    joints = 17

    def __init__(
        self,
        frames: int = 243,
        channels: int = 3,
        width: int = 128,
        representation: int = 512,
        depth: int = 16,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        layer_scale: float | None = 1e-5,
        adaptive_fusion: bool = True,
        hierarchical: bool = False,
        temporal: str = "similar",
        neighbours: int = 2,
        reach: int = 1,
        root_relative: bool = True,
        joint_order: str = "h36m",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "frames": frames,
            "channels": channels,
            "width": width,
            "representation": representation,
            "depth": depth,
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "drop_path": drop_path,
            "layer_scale": layer_scale,
            "adaptive_fusion": adaptive_fusion,
            "hierarchical": hierarchical,
            "temporal": temporal,
            "neighbours": neighbours,
            "reach": reach,
            "root_relative": root_relative,
            "joint_order": joint_order,
        }
        # Which joint of h36m_17 stands in each place, and the way back; None: its own.
        self._order: list[int] | None = None
        self._back: list[int] | None = None
        if joint_order == "mpi_inf_3dhp":
            self._order = [get_skeleton("h36m_17").index(joint) for joint in PSTMO_JOINTS]
            self._back = sorted(range(len(self._order)), key=self._order.__getitem__)
        elif joint_order != "h36m":
            raise Pose3DError(f"joint_order is {joint_order!r}, expected h36m or mpi_inf_3dhp")
        self.frames, self.channels, self.width, self.hierarchical = frames, channels, width, hierarchical
        self.root_relative = root_relative
        policy = self.dtype_policy
        dim = width // 2 if hierarchical else width

        def block(name: str, mixer: str, nodes: int) -> MixerBlock:
            return MixerBlock(
                dim,
                mixer,
                nodes,
                num_heads,
                qkv_bias,
                attention_dropout,
                neighbours,
                reach,
                mlp_ratio,
                dropout,
                drop_path,
                layer_scale,
                dtype=policy,
                name=name,
            )

        self.joint_embedding = linear(width, channels, "torch", dtype=policy, name="joint_embedding")
        self.joint_position = LearnedPosition(
            self.joints, width, "zeros", dtype=policy, name="joint_position"
        )
        # Of each layer: attention over joints and over frames, graph over joints and over frames.
        self.branches: list[tuple[MixerBlock, ...]] = []
        self.fusions: list[AdaptiveFusion] = []
        for index in range(1, depth + 1):
            self.branches.append(
                (
                    block(f"attention_spatial_{index}", "attention", self.joints),
                    block(f"attention_temporal_{index}", "attention", frames),
                    block(f"graph_spatial_{index}", "joints", self.joints),
                    block(f"graph_temporal_{index}", temporal, frames),
                )
            )
            if adaptive_fusion:
                self.fusions.append(AdaptiveFusion(dim, dtype=policy, name=f"fusion_{index}"))
        if hierarchical:
            for fusion in self.fusions:
                fusion.trainable = False
        self.norm = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="norm")
        self.representation = linear(
            representation, width, "torch", activation="tanh", dtype=policy, name="representation"
        )
        self.head = linear(3, representation, "torch", dtype="float32", name="head")

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        self.joint_embedding.build((None, self.channels))
        blocks = [block for branch in self.branches for block in branch]
        layers: tuple[keras.layers.Layer, ...] = (self.joint_position, *blocks, *self.fusions)
        for layer in layers:
            layer.build(None)
        self.norm.build((None, self.width))
        self.representation.build((None, self.width))
        self.head.build((None, self.settings["representation"]))
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        frames, joints = self.frames, self.joints
        keypoints = self._clip(inputs)
        if self._order is not None:
            keypoints = ops.take(keypoints, self._order, axis=2)
        rows = self.joint_embedding(ops.reshape(keypoints, (-1, self.channels)))
        tokens = self.joint_position(ops.reshape(rows, (-1, frames, joints, self.width)))
        tokens = joints_in_rows(tokens)
        for index, (first, second, third, fourth) in enumerate(self.branches):
            one, two = tokens, tokens
            if self.hierarchical:
                one, two = ops.split(tokens, 2, axis=-1)
            one = second(swap_frames_and_joints(first(one, training=training), frames), training=training)
            if self.hierarchical:
                two = two + swap_frames_and_joints(one, joints)
            two = fourth(swap_frames_and_joints(third(two, training=training), frames), training=training)
            if self.hierarchical:
                mixed = ops.concatenate([one, two], axis=-1)
            elif self.fusions:
                mixed = self.fusions[index](one, two)
            else:
                mixed = (one + two) * 0.5
            tokens = swap_frames_and_joints(mixed, joints)
        rows = self.representation(self.norm(ops.reshape(tokens, (-1, self.width))))
        poses = ops.reshape(self.head(rows), (-1, frames, joints, 3))
        features = ops.reshape(rows, (-1, frames, joints, rows.shape[-1]))
        if self._back is not None:
            poses, features = (ops.take(values, self._back, axis=2) for values in (poses, features))
        return self._outputs(inputs, poses, features)
