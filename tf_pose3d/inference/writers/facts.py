"""What is known about a motion besides its poses, as the files with names and values hold it."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.record import Motion

__all__ = ["motion_facts"]


def motion_facts(motion: Motion) -> dict[str, np.ndarray]:
    """`joints (J,)`, `parents (J,)`, `root`, `fps`, `subject`, `action` (the recording's full name), `camera`
    and, where there is one, `width` and `height` of its image in pixels. In world axes also `axes`,
    `level_by` (what told which way is up, see `Motion.level`) and `placement`.
    """
    camera = motion.camera
    facts = {
        "joints": np.array(motion.skeleton.joints),
        "parents": np.array(motion.skeleton.parents),
        "root": np.array(motion.root),
        "fps": np.array(motion.fps),
        "subject": np.array(motion.subject),
        "action": np.array(motion.name),
        "camera": np.array(camera.id if camera is not None else ""),
    }
    if camera is not None:
        facts |= {"width": np.array(camera.width), "height": np.array(camera.height)}
    if motion.world:
        facts["axes"] = np.array("world, z up")
    if motion.level:
        facts |= {
            "level_by": np.array(motion.level),
            "placement": np.array(motion.placement),
        }
    return facts
