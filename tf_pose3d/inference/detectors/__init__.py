"""2D keypoints from a video, by a detector that runs here."""

from tf_pose3d.inference.detectors.detector import DEFAULT_DETECTOR, Detector, Found, make_detector
from tf_pose3d.inference.detectors.reading import detect_people, is_video

__all__ = ["DEFAULT_DETECTOR", "Detector", "Found", "detect_people", "is_video", "make_detector"]
