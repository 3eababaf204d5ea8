"""PoseResNet: heat maps of joints from one image."""
