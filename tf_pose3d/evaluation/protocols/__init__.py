"""How models are evaluated: one protocol a file, and the table of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tf_pose3d.config import nearest
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.data.datasets import Dataset
    from tf_pose3d.evaluation.protocols.protocol import Protocol
    from tf_pose3d.models.family import Family

__all__ = ["PROTOCOLS", "get_protocol"]

# The name that a family gives -> where the protocol lives.
PROTOCOLS = {
    "uplift": "tf_pose3d.evaluation.protocols.uplift:UpliftProtocol",
    "videopose3d": "tf_pose3d.evaluation.protocols.videopose3d:VideoPose3DProtocol",
    "strided": "tf_pose3d.evaluation.protocols.strided:StridedProtocol",
    "image_clips": "tf_pose3d.evaluation.protocols.image_clips:ImageClipProtocol",
    "hypotheses": "tf_pose3d.evaluation.protocols.hypotheses:HypothesesProtocol",
    "mpi_inf_3dhp": "tf_pose3d.evaluation.protocols.mpi_inf_3dhp:MpiInf3dhpProtocol",
    "metric_clips": "tf_pose3d.evaluation.protocols.metric_clips:MetricClipProtocol",
    "lcn": "tf_pose3d.evaluation.protocols.lcn:LCNProtocol",
    "motion": "tf_pose3d.evaluation.protocols.motion:MotionProtocol",
    "images": "tf_pose3d.evaluation.protocols.images:ImagesProtocol",
    "multiview": "tf_pose3d.evaluation.protocols.multiview:MultiviewProtocol",
}


def get_protocol(family: Family, dataset: Dataset | None = None) -> Protocol:
    """The protocol by which a family is evaluated.

    Args:
        family: It.
        dataset: On what; a data set may have a protocol of its own.

    Raises:
        Pose3DError: The family names one that there is not.
    """
    name = getattr(dataset, "protocol", None) or family.protocol
    if name not in PROTOCOLS:
        raise Pose3DError(f"{family.arch}: unknown protocol {name!r}{nearest(name, PROTOCOLS)}")
    module, _, attribute = PROTOCOLS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)(family)
