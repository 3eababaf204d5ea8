"""MixSTE's flags: VideoPose3D's, as far as the network has what they set, and its own sizes."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from tf_pose3d.cli.releases.motionbert import overlap_flag
from tf_pose3d.cli.releases.release import Flag
from tf_pose3d.cli.releases.videopose3d import TemporalRelease

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.d3dp.config import D3DPConfig

__all__ = ["D3DPRelease", "MixSTERelease"]


class MixSTERelease(TemporalRelease):
    """VideoPose3D's flags, `-f`, `-cs` and `-dep`; `-e` is epochs."""

    network_keys = ("FRAMES", "CHANNELS", "LAYERS")

    def flags(self, program: str) -> list[Flag]:
        known = {field.name for field in dataclasses.fields(self.family.config_class)}
        flags = [one for one in super().flags(program) if not one.key or one.key.partition(".")[0] in known]
        return [
            *flags,
            *([] if program == "train" else [overlap_flag()]),
            Flag(("-f", "--number_of_frames"), "FRAMES", "frames in a clip", int, metavar="N"),
            Flag(("-cs",), "CHANNELS", "width of a token", int, metavar="N"),
            Flag(("-dep",), "LAYERS", "blocks over joints, and as many over frames", int, metavar="N"),
        ]

    def training_flags(self) -> list[Flag]:
        return [Flag(("-s", "--stride"), "CLIP_STRIDE", "frames from clip to clip", int, metavar="N")]


class D3DPRelease(MixSTERelease):
    """MixSTE's flags, and how poses are sampled."""

    def flags(self, program: str) -> list[Flag]:
        return [
            *super().flags(program),
            Flag(("-num_proposals",), "PROPOSALS", "hypotheses that are sampled", int, metavar="H"),
            Flag(("-sampling_timesteps",), "SAMPLING_STEPS", "denoising steps", int, metavar="K"),
            Flag(("-timestep",), "DIFFUSION_STEPS", "steps of the noise schedule", int, metavar="T"),
        ]

    def load_model(self, arguments: argparse.Namespace, config: D3DPConfig) -> keras.Model:
        model = super().load_model(arguments, config)
        model.follow(config)
        return model
