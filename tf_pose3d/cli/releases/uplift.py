"""Uplift and Upsample's flags."""

from __future__ import annotations

from tf_pose3d.cli.releases.release import Flag, Release

__all__ = ["UpliftRelease"]


class UpliftRelease(Release):
    """Flags of the published TensorFlow release."""

    def flags(self, program: str) -> list[Flag]:
        if program != "eval":
            return []
        return [
            Flag(
                ("--forced_mask_stride",),
                "MASK_STRIDE",
                "s_in in frames to evaluate instead of all in MASK_STRIDE; a multiple of s_out",
                kind=int,
                metavar="FRAMES",
            ),
            Flag(
                ("--no_learned_upsampling",),
                "EVAL_DISABLE_LEARNED_UPSAMPLING",
                "interpolate between frames that have a 2D pose instead of predicting those between",
                kind=None,
            ),
        ]
