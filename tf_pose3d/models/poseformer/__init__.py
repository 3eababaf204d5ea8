"""PoseFormer."""
