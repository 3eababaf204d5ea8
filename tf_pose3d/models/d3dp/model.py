"""The network of D3DP: MixSTE that takes noise off poses."""

from __future__ import annotations

import itertools
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.geometry.hypotheses import best_seen_joints, spread
from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.models.d3dp.config import D3DPConfig
from tf_pose3d.models.mixste.model import MixSTE
from tf_pose3d.skeleton import get_skeleton

__all__ = ["D3DP", "cosine_schedule", "sampling_times"]

Tensor: TypeAlias = keras.KerasTensor

_LIMIT = 1.1
_OFFSET, _LARGEST_BETA = 0.008, 0.999


def cosine_schedule(steps: int) -> np.ndarray:
    """`(steps,)` float64: what share of a pose's variance is left after each step of noise.

    Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", 2021.
    """
    place = np.linspace(0, steps, steps + 1)
    left = np.cos((place / steps + _OFFSET) / (1 + _OFFSET) * np.pi * 0.5) ** 2
    left = left / left[0]
    betas = np.clip(1 - left[1:] / left[:-1], 0, _LARGEST_BETA)
    return np.cumprod(1 - betas)


def sampling_times(steps: int, count: int) -> list[tuple[int, int]]:
    """(time, next time) of each denoising step; the last next time is -1."""
    times = [int(time) for time in np.linspace(-1, steps - 1, count + 1, dtype=np.float32)][::-1]
    return list(itertools.pairwise(times))


@keras.saving.register_keras_serializable(package="tf_pose3d")
class D3DP(MixSTE):
    """Samples several poses for each clip by taking noise off random ones.

    Shan et al., "Diffusion-based 3D human pose estimation with multi-hypothesis aggregation", ICCV 2023, and
    its release (MIT); the network is MixSTE's with the noisy pose beside the keypoints and an embedding of
    the time.

    Args:
        diffusion_steps: Steps T of the noise schedule.
        proposals: Hypotheses H.
        sampling_steps: Denoising steps K of a hypothesis.
        flip: Average with the mirrored clip in each step.
        seed: Of the random poses that sampling starts from: the same clips in one batch give the same poses.
        **kwargs: Of `MixSTE`.

    Input (dict): keypoints_2d `(B, F, 17, 2)` normalised; in training also pose_3d `(B, F, 17, 3)` metres.
    Output (dict), metres relative to the root, camera frame: in training pose_3d_sequence `(B, F, 17, 3)`,
    made of the pose with a random share of noise. Else pose_3d_hypotheses `(B, H, F, 17, 3)`;
    pose_3d_sequence, one pose of them, which asks for neither the true root nor the camera; pose_3d, its
    middle frame; pose_and_spread_sequence `(B, F, 17, 4)`, the same with the hypotheses' root mean square
    distance from their mean. Roots are 0.
    """

    token_inputs = 5
    spread_output = "pose_and_spread_sequence"

    def __init__(
        self,
        frames: int = 243,
        width: int = 512,
        depth: int = 8,
        diffusion_steps: int = 1000,
        proposals: int = 5,
        sampling_steps: int = 5,
        flip: bool = True,
        seed: int = 0,
        aggregation: str = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(frames, 17, width, depth, **kwargs)
        inherited = {name: value for name, value in self.settings.items() if name != "joints"}
        self.settings = {
            **inherited,
            "diffusion_steps": diffusion_steps,
            "proposals": proposals,
            "sampling_steps": sampling_steps,
            "flip": flip,
            "seed": seed,
            "aggregation": aggregation,
        }
        self.aggregation = aggregation
        self.proposals, self.flip, self.seed = proposals, flip, seed
        self.left = cosine_schedule(diffusion_steps)
        self.times = sampling_times(diffusion_steps, sampling_steps)
        policy = self.dtype_policy
        self.time_expand = linear(2 * width, width, "torch", dtype=policy, name="time_expand")
        self.time_contract = linear(width, 2 * width, "torch", dtype=policy, name="time_contract")
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._flip_order = np.array(get_skeleton("h36m_17").flip_order)

    def set_sampling(self, proposals: int, steps: int, flip: bool, aggregation: str = "mean") -> None:
        """Other numbers of hypotheses and of denoising steps, with or without mirrored averaging."""
        self.proposals, self.flip, self.aggregation = proposals, flip, aggregation
        self.times = sampling_times(len(self.left), steps)

    def follow(self, config: D3DPConfig) -> None:
        """Samples and aggregates as a config says, which may be another than that of the training."""
        self.set_sampling(config.PROPOSALS, config.SAMPLING_STEPS, config.EVAL_FLIP, config.AGGREGATION)

    def build(self, input_shape: object = None) -> None:
        super().build(input_shape)
        self.time_expand.build((None, self.width))
        self.time_contract.build((None, 2 * self.width))

    def denoise(self, keypoints: Tensor, poses: Tensor, time: Tensor, training: bool | None = None) -> Tensor:
        """The network: what the pose was before noise.

        Args:
            keypoints: `(B, F, 17, 2)`.
            poses: `(B, F, 17, 3)` noisy, within +-1.1.
            time: `(B,)` or `(1,)` step of the noise schedule.
            training: Whether stochastic depth is on.
        """
        half = self.width // 2
        rates = np.exp(np.arange(half) * -(np.log(10000) / (half - 1))).astype(np.float32)
        angles = ops.cast(time, "float32")[:, None] * rates[None]
        embedded = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        hidden = ops.gelu(self.time_expand(embedded), approximate=False)
        shift = self.time_contract(hidden)[:, None, None]
        values = ops.concatenate([keypoints, ops.cast(poses, keypoints.dtype)], axis=-1)
        return ops.cast(self.lift(values, training=training, shift=shift), "float32")

    def _mirrored(self, values: Tensor) -> Tensor:
        signs = np.array([-1.0] + [1.0] * (values.shape[-1] - 1), np.float32)
        return ops.take(values, self._flip_order, axis=-2) * ops.cast(signs, values.dtype)

    def predict_start(self, keypoints: Tensor, poses: Tensor, time: int) -> Tensor:
        """`(B, F, 17, 3)` clean poses of noisy ones at one time, averaged with the mirrored clip's."""
        held = ops.clip(poses, -_LIMIT, _LIMIT)
        at = ops.full((1,), float(time))
        clean = self.denoise(keypoints, held, at)
        if self.flip:
            mirrored = self.denoise(self._mirrored(keypoints), self._mirrored(held), at)
            clean = (clean + self._mirrored(mirrored)) / 2
        return ops.clip(clean, -_LIMIT, _LIMIT)

    def sample(self, keypoints: Tensor, noises: list[Tensor]) -> Tensor:
        """`(B, F, 17, 3)` poses by DDIM (eta 1).

        Args:
            keypoints: `(B, F, 17, 2)`.
            noises: As many `(B, F, 17, 3)` as there are denoising steps: what to start from, and what each
                step but the last adds.
        """
        poses = noises[0]
        for index, (time, following) in enumerate(self.times):
            clean = self.predict_start(keypoints, poses, time)
            if following < 0:
                return clean
            now, then = self.left[time], self.left[following]
            noise = (poses * (1 / now) ** 0.5 - clean) / (1 / now - 1) ** 0.5
            sigma = ((1 - now / then) * (1 - then) / (1 - now)) ** 0.5
            poses = clean * then**0.5 + (1 - then - sigma**2) ** 0.5 * noise + sigma * noises[index + 1]
        raise RuntimeError("the schedule's last step has no end")

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        keypoints = self._clip(inputs)
        if training:
            if "pose_3d" not in inputs:
                raise Pose3DError(f"{self.name}: training reads pose_3d beside keypoints_2d, which lack it")
            return self._from_noise(keypoints, inputs["pose_3d"])
        shape = (-1, self.proposals, self.frames, self.joints, 3)
        repeated = ops.repeat(keypoints, self.proposals, axis=0)
        count = ops.shape(repeated)[0]
        drawn = [
            keras.random.normal((count, *shape[2:]), seed=self.seed + step) for step in range(len(self.times))
        ]
        poses = self.sample(repeated, drawn)
        poses = ops.concatenate([ops.zeros_like(poses[:, :, :1]), poses[:, :, 1:]], axis=2)
        hypotheses = ops.reshape(poses, shape)
        if self.aggregation == "joint":
            pose = best_seen_joints(hypotheses, ops.cast(keypoints, "float32"))
        else:
            pose = ops.mean(hypotheses, axis=1)
        return {
            "pose_3d": pose[:, self.frames // 2],
            "pose_3d_sequence": pose,
            "pose_3d_hypotheses": hypotheses,
            self.spread_output: ops.concatenate([pose, spread(hypotheses)[..., None]], axis=-1),
        }

    def _from_noise(self, keypoints: Tensor, poses: Tensor) -> dict[str, Tensor]:
        """One training pass: a time and noise for each clip."""
        poses = ops.cast(poses, "float32")
        poses = poses - poses[:, :, :1]
        count = ops.shape(poses)[0]
        time = keras.random.randint((count,), 0, len(self.left), seed=self.seed_generator)
        noise = keras.random.normal(ops.shape(poses), seed=self.seed_generator)
        left = ops.take(ops.cast(self.left, "float32"), time)[:, None, None, None]
        noisy = ops.clip(ops.sqrt(left) * poses + ops.sqrt(1 - left) * noise, -_LIMIT, _LIMIT)
        clean = self.denoise(keypoints, noisy, time, training=True)
        return {"pose_3d": clean[:, self.frames // 2], "pose_3d_sequence": clean}
