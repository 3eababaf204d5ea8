"""MotionAGFormer."""
