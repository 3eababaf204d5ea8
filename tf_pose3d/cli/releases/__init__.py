"""What the programs do for one release alone: its flags, its own ways to train, test and draw."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tf_pose3d.cli.releases.release import Release

if TYPE_CHECKING:
    from tf_pose3d.models.family import Family

__all__ = ["RELEASES", "get_release"]

# ARCH -> where its release lives. A family that is not listed has no flags of its own.
RELEASES = {
    "UpliftUpsampleTransformer": "tf_pose3d.cli.releases.uplift:UpliftRelease",
    "HOIFNet": "tf_pose3d.cli.releases.semgcn:HOIFNetRelease",
    "HGCN": "tf_pose3d.cli.releases.semgcn:HGCNRelease",
    "SemGCN": "tf_pose3d.cli.releases.semgcn:SemGCNRelease",
    "Martinez": "tf_pose3d.cli.releases.semgcn:MartinezRelease",
    "LCN": "tf_pose3d.cli.releases.lcn:LCNRelease",
    "VideoPose3D": "tf_pose3d.cli.releases.videopose3d:VideoPose3DRelease",
    "RIE": "tf_pose3d.cli.releases.ehfusion:RIERelease",
    "EHFusion": "tf_pose3d.cli.releases.ehfusion:EHFusionRelease",
    "PoseResNet": "tf_pose3d.cli.releases.densewarper:PoseResNetRelease",
    "DenseWarper": "tf_pose3d.cli.releases.densewarper:DenseWarperRelease",
    "StridedTransformer": "tf_pose3d.cli.releases.strided:StridedTransformerRelease",
    "PoseFormer": "tf_pose3d.cli.releases.strided:PoseFormerRelease",
    "MotionBERT": "tf_pose3d.cli.releases.motionbert:MotionBERTRelease",
    "MotionAGFormer": "tf_pose3d.cli.releases.motionagformer:MotionAGFormerRelease",
    "MixSTE": "tf_pose3d.cli.releases.mixste:MixSTERelease",
    "D3DP": "tf_pose3d.cli.releases.mixste:D3DPRelease",
}


def get_release(family: Family) -> Release:
    """The release of a family."""
    if family.arch not in RELEASES:
        return Release(family)
    module, _, attribute = RELEASES[family.arch].partition(":")
    return getattr(importlib.import_module(module), attribute)(family)
