"""DenseWarper (ICLR 2026): dense multi-view 3D poses from views that each show another frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_pose3d.geometry.epipolar import epipolar_lines, epipolar_maximum
from tf_pose3d.geometry.soft_argmax import soft_argmax
from tf_pose3d.geometry.triangulation import triangulate
from tf_pose3d.geometry.views import heatmap_affine, image_points, inverse_affine, projection_matrix
from tf_pose3d.models.densewarper.warper import Warper
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.models.pose_resnet.model import PoseResNet
from tf_pose3d.types import Tensor

__all__ = ["DenseWarper"]


# Of the network's input over its heat maps.
_STRIDE = 4.0
# The soft-argmax looks at a disc of so many standard deviations of the Gaussian targets.
_DISC_SIGMAS = 5


@keras.saving.register_keras_serializable(package="tf_pose3d")
class DenseWarper(PoseModel):
    """Heat maps of every view at every frame, and the poses that they make.

    A group has V views and T frames; each view shows one of the frames, and each frame is shown by at least
    one view. The heat maps of view v at frame t are the backbone's where v shows t. Else the first guess is
    half v's own map and half the maxima along epipolar lines of the view that shows t (of several, their
    mean), and a warper of that pair's own moves v's own map there.

    Args:
        backbone: The network that makes heat maps of images.
        num_joints: Heat maps of a view.
        used_joints: Which of them are joints of the pose, in its order.
        pattern: The frame that each view shows.
        warper_channels, warper_blocks, dilations, warper_start: Of `Warper`.
        sigma: Standard deviation of the Gaussians that the backbone is trained on, heat-map pixels.
        train_backbone: Whether the backbone is trained, too; else it is frozen with its batch norms.
        triangulation, min_confidence, ransac_threshold: `method`, `least` and `threshold` (image pixels) of
            `tf_pose3d.geometry.triangulation.triangulate`.

    Inputs (dict), J the used joints:
        image: `(B, V, H, W, 3)` normalised.
        rotation: `(B, V, 3, 3)`, world to camera.
        translation: `(B, V, 3)` camera centre, mm, world.
        intrinsics: `(B, V, 4)`: fx, fy, cx, cy, pixels of the whole image.
        crop: `(B, V, 2, 3)`, whole image to network input, pixels.

    Outputs (dict):
        heatmaps: `(B, T, V, h, w, num_joints)`.
        keypoints_2d: `(B, T, V, J, 2)` heat-map pixels, (0, 0) where nothing is seen.
        confidence: `(B, T, V, J)`: maxima of the heat maps.
        pose_3d: `(B, T, J, 3)` mm, world; NaN where fewer than two views see the joint. Triangulated in
            pixels of the whole images, without lens distortion, as released; no gradients flow back.
        pose_3d_valid: `(B, T, J)` bool: whether two views or more do.
        unwarped_heatmaps: `(B, V, h, w, num_joints)` of the backbone, each view at its own frame.
        pose_3d_unwarped: `(B, J, 3)` mm: these triangulated as if all views showed one frame; not in
            training.
    """

    def __init__(
        self,
        backbone: PoseResNet,
        num_joints: int,
        used_joints: Sequence[int],
        pattern: Sequence[int] = (0, 1, 2, 3),
        warper_channels: int = 128,
        warper_blocks: int = 20,
        dilations: Sequence[int] = (3, 6, 12, 18, 24),
        warper_start: str = "random",
        sigma: float = 3.0,
        train_backbone: bool = False,
        triangulation: str = "dlt",
        min_confidence: float = 0.01,
        ransac_threshold: float = 15.0,
        **kwargs: Any,
    ) -> None:
        # Cameras in mm and pixels keep their precision under a mixed policy; layers cast what they read.
        super().__init__(**{"autocast": False, **kwargs})
        self.settings = {
            "num_joints": num_joints,
            "used_joints": list(used_joints),
            "pattern": list(pattern),
            "warper_channels": warper_channels,
            "warper_blocks": warper_blocks,
            "dilations": list(dilations),
            "warper_start": warper_start,
            "sigma": sigma,
            "train_backbone": train_backbone,
            "triangulation": triangulation,
            "min_confidence": min_confidence,
            "ransac_threshold": ransac_threshold,
        }
        self.backbone = backbone
        self.backbone.trainable = train_backbone
        self.train_backbone = train_backbone
        self.num_joints = num_joints
        self.used_joints = list(used_joints)
        self.pattern = tuple(pattern)
        self.num_views, self.num_frames = len(pattern), max(pattern) + 1
        # (view, frame) of each warper, in the order of the release: views, then frames.
        self.warped = [
            (view, frame)
            for view in range(self.num_views)
            for frame in range(self.num_frames)
            if pattern[view] != frame
        ]
        self.warpers = [
            Warper(
                warper_channels,
                warper_blocks,
                dilations,
                warper_start,
                dtype=self.dtype_policy,
                name=f"warper_{view}_{frame}",
            )
            for view, frame in self.warped
        ]
        # Each warped map with every view that shows its frame.
        self.epipolar_pairs = [
            (view, other)
            for view, frame in self.warped
            for other in range(self.num_views)
            if pattern[other] == frame
        ]

    def set_triangulation(self, method: str, min_confidence: float, ransac_threshold: float) -> None:
        """Changes how views make 3D joints; see the arguments of the model."""
        changed = {"triangulation": method, "min_confidence": min_confidence}
        self.settings.update({**changed, "ransac_threshold": ransac_threshold})

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        views = self.num_views
        return {
            "image": (None, views, None, None, 3),
            "rotation": (None, views, 3, 3),
            "translation": (None, views, 3),
            "intrinsics": (None, views, 4),
            "crop": (None, views, 2, 3),
        }

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        if not self.backbone.built:
            self.backbone.build()
            # Setting what is set already would not reach the new weights.
            self.backbone.trainable = True
            self.backbone.trainable = self.train_backbone
        for warper in self.warpers:
            warper.build((None, None, None, self.num_joints))
        self.built = True

    def own_heatmaps(self, images: Tensor, training: bool | None = None) -> Tensor:
        """The backbone's heat maps `(B, V, h, w, num_joints)` of images `(B, V, H, W, 3)`."""
        _, _, height, width, channels = ops.shape(images)
        flat = ops.reshape(images, (-1, height, width, channels))
        maps = self.backbone.heatmaps(flat, training=bool(training) and self.train_backbone)
        if not self.train_backbone:
            maps = ops.stop_gradient(maps)
        return ops.reshape(maps, (-1, self.num_views, *maps.shape[1:]))

    def first_guesses(self, own: Tensor, inputs: dict[str, Tensor]) -> Tensor:
        """`(B, W, h, w, num_joints)` of the W maps that are warped, before warping."""
        _, _, height, width, _ = own.shape
        lines = epipolar_lines(
            heatmap_affine(inputs["crop"], _STRIDE),
            inputs["intrinsics"],
            inputs["rotation"],
            inputs["translation"],
            height,
            width,
            self.epipolar_pairs,
        )
        seen = epipolar_maximum(own, lines, self.epipolar_pairs)
        if len(self.epipolar_pairs) > len(self.warped):
            seen = self._mean_per_warper(seen)
        views = [view for view, _ in self.warped]
        return 0.5 * seen + 0.5 * ops.take(own, views, axis=1)

    def _mean_per_warper(self, seen: Tensor) -> Tensor:
        """Means over the views that show a warper's frame: `(B, W, ...)` of `(B, P, ...)`."""
        counts = [self.pattern.count(frame) for _, frame in self.warped]
        bounds = [sum(counts[:index]) for index in range(1, len(counts))]
        return ops.stack([ops.mean(part, axis=1) for part in ops.split(seen, bounds, axis=1)], axis=1)

    def dense_heatmaps(self, own: Tensor, inputs: dict[str, Tensor], training: bool | None = None) -> Tensor:
        """Heat maps `(B, T, V, h, w, num_joints)` of every view at every frame.

        Args:
            own: `(B, V, h, w, num_joints)`, each view at the frame that it shows.
            inputs: The cameras among the model's inputs.
            training: Whether the warpers' batch norms use the batch's statistics.
        """
        maps = {}
        for view, frame in enumerate(self.pattern):
            maps[frame, view] = own[:, view]
        if self.warped:
            guesses = self.first_guesses(own, inputs)
            # A loop over layers, each with weights of its own.
            for index, ((view, frame), warper) in enumerate(zip(self.warped, self.warpers, strict=True)):
                warped = warper(
                    ops.cast(own[:, view], self.compute_dtype),
                    ops.cast(guesses[:, index], self.compute_dtype),
                    training=training,
                )
                maps[frame, view] = ops.cast(warped, "float32")
        frames = [
            ops.stack([maps[frame, view] for view in range(self.num_views)], axis=1)
            for frame in range(self.num_frames)
        ]
        return ops.stack(frames, axis=1)

    def joints(self, heatmaps: Tensor, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """2D and 3D joints of heat maps.

        Args:
            heatmaps: `(B, T, V, h, w, num_joints)`.
            inputs: The cameras among the model's inputs.

        Returns:
            `keypoints_2d`, `confidence`, `pose_3d` and `pose_3d_valid` of the model's outputs.
        """
        if self.used_joints != list(range(self.num_joints)):
            heatmaps = ops.take(heatmaps, self.used_joints, axis=-1)
        keypoints, confidence = soft_argmax(heatmaps, _DISC_SIGMAS * self.settings["sigma"])
        # In float64, as the release has it from here on.
        crop, *camera = (
            ops.cast(inputs[name], "float64") for name in ("crop", "intrinsics", "rotation", "translation")
        )
        to_image = inverse_affine(heatmap_affine(crop, _STRIDE))
        projection = projection_matrix(*camera)
        pose, valid = triangulate(
            image_points(ops.cast(ops.stop_gradient(keypoints), "float64"), to_image[:, None]),
            projection[:, None],
            confidence,
            self.settings["triangulation"],
            self.settings["min_confidence"],
            self.settings["ransac_threshold"],
        )
        return {
            "keypoints_2d": keypoints,
            "confidence": confidence,
            "pose_3d": pose,
            "pose_3d_valid": valid,
        }

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        if inputs["image"].shape[1] != self.num_views:
            raise ValueError(
                f"this model reads {self.num_views} views, image has shape {inputs['image'].shape}"
            )
        own = self.own_heatmaps(inputs["image"], training)
        heatmaps = self.dense_heatmaps(own, inputs, training)
        outputs = {
            "heatmaps": heatmaps,
            **self.joints(heatmaps, inputs),
            "unwarped_heatmaps": own,
        }
        if not training:
            outputs["pose_3d_unwarped"] = self.joints(own[:, None], inputs)["pose_3d"][:, 0]
        return outputs

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            **self.settings,
            "backbone": self.backbone.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: object = None) -> DenseWarper:
        backbone = PoseResNet.from_config({**config["backbone"], "trainable": True})
        return super().from_config({**config, "backbone": backbone}, custom_objects)
