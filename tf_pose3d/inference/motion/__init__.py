"""A person's motion: the record between lifting and writing."""

from tf_pose3d.inference.motion.record import Motion, hold_poses

__all__ = ["Motion", "hold_poses"]
