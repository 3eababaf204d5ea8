"""VideoPose3D."""
