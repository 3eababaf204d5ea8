"""A short clip that all tests of pictures share."""

from __future__ import annotations

import av
import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences

FRAMES = 24


@pytest.fixture(scope="session")
def sequence():
    """24 frames of a walking person, camera 0."""
    return synthetic_sequences(["S11"], frames=FRAMES, actions=["Walking"], skeleton="h36m_17")[0]


@pytest.fixture(scope="session")
def poses(sequence):
    """Predictions that are off by 30 mm in depth at every joint but the root."""
    shifted = sequence.pose_3d.copy()
    shifted[:, 1:, 2] += 0.03
    return (shifted - shifted[:, :1]).astype(np.float32)


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    """A video in half the camera's size: frame i is grey level 10 i, eight frames."""
    path = tmp_path_factory.mktemp("video") / "recording.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=50)
        stream.width, stream.height, stream.pix_fmt = 500, 500, "yuv420p"
        for number in range(8):
            grey = np.full((500, 500, 3), 10 * number + 40, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey)))
        container.mux(stream.encode())
    return path
