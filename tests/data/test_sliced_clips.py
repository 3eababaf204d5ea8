import pickle

import numpy as np
import pytest

from tf_pose3d.data.sliced_clips import read_clip_folder
from tf_pose3d.errors import Pose3DError


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for part, count in (("H36M-SH", 2), ("AMASS", 1)):
        place = tmp_path / part / "train"
        place.mkdir(parents=True)
        for number in range(count):
            label = random.normal(0, 0.3, (6, 17, 3)).astype(np.float32)
            keypoints = None if part == "AMASS" else random.uniform(-1, 1, (6, 17, 3)).astype(np.float32)
            clip = {"data_input": keypoints, "data_label": label}
            (place / f"{number:08d}.pkl").write_bytes(pickle.dumps(clip))
    return tmp_path


def test_a_clip_is_a_sequence(folder):
    sequences = read_clip_folder(folder, "trainval")
    assert [sequence.subject for sequence in sequences] == ["AMASS", "H36M-SH", "H36M-SH"]
    amass = sequences[0]
    np.testing.assert_allclose(amass.pose_2d[..., :2] - 1, amass.per_frame["pose_image"][..., :2], atol=1e-6)
    assert (amass.pose_2d[..., 2] == 1).all()
    held = pickle.loads((folder / "H36M-SH/train/00000001.pkl").read_bytes())
    np.testing.assert_allclose(sequences[2].pose_2d[..., :2] - 1, held["data_input"][..., :2], atol=1e-6)
    assert len(read_clip_folder(folder / "H36M-SH", "train")) == 2


def test_other_files_are_refused(folder):
    with pytest.raises(Pose3DError, match=r"holds no test/\*\.pkl"):
        read_clip_folder(folder, "test")
    (folder / "AMASS/train/00000000.pkl").write_bytes(pickle.dumps({"data_input": None}))
    with pytest.raises(Pose3DError, match=r"00000000\.pkl has no data_label"):
        read_clip_folder(folder, "train")
    (folder / "AMASS/train/00000000.pkl").write_bytes(pickle.dumps({"data_label": np.zeros((6, 16, 3))}))
    with pytest.raises(Pose3DError, match=r"data_label has shape \(6, 16, 3\)"):
        read_clip_folder(folder, "train")
    (folder / "AMASS/train/00000000.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(Pose3DError, match="holds a list"):
        read_clip_folder(folder, "train")
