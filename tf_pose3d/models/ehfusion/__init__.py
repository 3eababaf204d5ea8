"""EHFusion."""
