"""MotionBERT."""
