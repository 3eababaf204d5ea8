"""Keypoints of several calibrated cameras to people in metres: matched, synchronised, triangulated,
judged."""
