"""What the programs do for one release alone: its flags, its own ways to train, test and draw."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tf_pose3d.cli.releases.release import Release

if TYPE_CHECKING:
    from tf_pose3d.models.family import Family

__all__ = ["RELEASES", "find_release_by_flags", "get_release"]

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
}


def _class_of(arch: str) -> type[Release]:
    if arch not in RELEASES:
        return Release
    module, _, attribute = RELEASES[arch].partition(":")
    return getattr(importlib.import_module(module), attribute)


def get_release(family: Family) -> Release:
    """The release of a family."""
    return _class_of(family.arch)(family)


def find_release_by_flags(names: set[str]) -> str | None:
    """The ARCH whose release alone has one of these flags among those that tell it; None: no one's."""
    return next((arch for arch in RELEASES if names & set(_class_of(arch).telling_flags)), None)
