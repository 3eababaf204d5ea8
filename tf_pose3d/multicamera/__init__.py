"""Keypoints of several calibrated cameras to people in metres: matched, in time, triangulated, judged."""
