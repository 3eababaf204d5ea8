"""Videos of one's own, as VideoPose3D's prepare_data_2d_custom.py writes them."""

import numpy as np
import pytest

from tf_pose3d.data.custom import DATASET, read_custom
from tf_pose3d.errors import Pose3DError

SYMMETRY = [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]


def write(path, videos=("walk.mp4", "jump.mp4"), layout="coco", frames=5, joints=17, **facts):
    """The file that the release's script writes for some videos."""
    random = np.random.default_rng(0)
    positions = {
        name: {"custom": [random.uniform(0, 500, (frames, joints, 2)).astype("f4")]} for name in videos
    }
    metadata = {
        "layout_name": layout,
        "num_joints": joints,
        "keypoints_symmetry": SYMMETRY,
        "video_metadata": {name: {"w": 1280, "h": 720} | facts for name in videos},
    }
    np.savez_compressed(path, positions_2d=np.array(positions, object), metadata=np.array(metadata, object))
    return positions


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data_2d_custom_mine.npz"


def test_every_video_is_a_subject(path):
    held = write(path)
    sequences = read_custom(path, skeleton="h36m_17", input_skeleton="coco_17")
    assert [(one.subject, one.action, one.camera.id) for one in sequences] == [
        ("walk.mp4", "custom", "0"),
        ("jump.mp4", "custom", "0"),
    ]
    for one in sequences:
        np.testing.assert_array_equal(one.pose_2d, held[one.subject]["custom"][0])
        assert (one.camera.width, one.camera.height, one.fps) == (1280, 720, 50.0)
        assert one.pose_3d is None
        assert (one.skeleton.name, one.input_skeleton.name) == ("h36m_17", "coco_17")
    (alone,) = read_custom(path, "jump.mp4", input_skeleton="coco_17")
    assert alone.subject == "jump.mp4"


def test_joints_are_made_for_a_model_that_reads_others(path):
    write(path, fps=30)
    lines = []
    sequence = read_custom(path, "walk.mp4", log=lines.append)[0]
    assert sequence.input_skeleton.name == "h36m_17"
    assert sequence.fps == 30
    assert "holds joints of coco_17" in lines[0]
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"w": 0}, r"walk\.mp4: w is 0, expected a whole number of pixels"),
        ({"h": "720"}, "h is '720', expected a whole number"),
        ({"fps": -1}, "fps is -1, expected frames per second"),
        ({"w": 10**400}, r"w is 10+\.\.\., expected a whole number"),
        ({"fps": 10**400}, r"fps is 10+\.\.\., expected frames"),
        ({"joints": 16}, "has 16 joints, expected the 17 of coco_17"),
        ({"videos": ()}, "holds no video"),
    ],
)
def test_what_is_wrong_is_named(path, changes, message):
    write(path, **changes)
    with pytest.raises(Pose3DError, match=message):
        read_custom(path)


def test_a_file_without_sizes_or_with_another_video(path):
    write(path)
    with pytest.raises(Pose3DError, match=r"has no video 'run\.mp4'; there are walk\.mp4, jump\.mp4"):
        read_custom(path, "run.mp4")
    with np.load(path, allow_pickle=True) as file:
        positions = file["positions_2d"]
    np.savez(path, positions_2d=positions, metadata=np.array({"layout_name": "coco"}, object))
    with pytest.raises(Pose3DError, match="metadata has no video_metadata"):
        read_custom(path)
    np.savez(path, positions_2d=positions, metadata=np.array({"video_metadata": {}}, object))
    with pytest.raises(Pose3DError, match=r"walk\.mp4: video_metadata has no entry of that video"):
        read_custom(path)


def test_frames_without_a_person_are_refused(path):
    positions = write(path)
    positions["walk.mp4"]["custom"][0][2] = np.nan
    with np.load(path, allow_pickle=True) as file:
        metadata = file["metadata"]
    np.savez(path, positions_2d=np.array(positions, object), metadata=metadata)
    with pytest.raises(Pose3DError, match=r"walk\.mp4, custom, camera 0"):
        read_custom(path)


def test_its_name_must_be_told():
    with pytest.raises(Pose3DError, match=r"--keypoints NAME says which data_2d_custom_NAME\.npz"):
        DATASET.files(DATASET.complete())
