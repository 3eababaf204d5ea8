"""Pictures of boards from folders of images (with OpenCV)."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.calibration.boards import parse_board
from tf_pose3d.calibration.pictures import read_sightings
from tf_pose3d.errors import Pose3DError

cv2 = pytest.importorskip("cv2")
BOARD = parse_board("charuco:5x7:40mm:30mm:DICT_4X4_50")


@pytest.fixture
def folder(tmp_path):
    """Two pictures of the board from straight above, and one of nothing; frames 4, 5 and 9."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    made = cv2.aruco.CharucoBoard((5, 7), 0.04, 0.03, dictionary).generateImage((300, 420))
    (tmp_path / "left").mkdir()
    for number in (4, 9):
        picture = np.full((600, 500), 200, np.uint8)
        picture[50 + number : 470 + number, 60:360] = made
        cv2.imwrite(str(tmp_path / "left" / f"img_{number:04d}.png"), picture)
    cv2.imwrite(str(tmp_path / "left" / "img_0005.png"), np.full((600, 500), 90, np.uint8))
    return tmp_path


def test_corners_and_frames_of_a_folder(folder):
    (held,) = read_sightings([folder / "left"], BOARD, offsets={"left": 10})
    assert (held.name, held.size, held.frames.tolist()) == ("left", (500, 600), [14, 19])
    x, y = np.meshgrid(60 + 60 * np.arange(1, 5) - 0.5, 50 + 4 + 60 * np.arange(1, 7) - 0.5)
    np.testing.assert_allclose(held.corners[0], np.stack([x.ravel(), y.ravel()], 1), atol=0.3)


def test_what_is_no_picture(folder):
    (folder / "empty").mkdir()
    (folder / "video.mp4").write_bytes(b"nothing")
    (folder / "bad").mkdir()
    (folder / "bad" / "1.png").write_bytes(b"nothing")
    for paths, message in (
        (["empty"], "folder without images"),
        (["none"], "does not exist"),
        (["video.mp4"], "is no video that OpenCV can read"),
        (["bad"], "is no image, or damaged"),
        (["left", "left"], "two cameras are called left"),
    ):
        with pytest.raises(Pose3DError, match=message):
            read_sightings([folder / path for path in paths], BOARD)
    with pytest.raises(Pose3DError, match="no camera x; there are left"):
        read_sightings([folder / "left"], BOARD, offsets={"x": 1})
