"""MixSTE."""
