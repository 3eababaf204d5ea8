"""`tf_pose3d.lift_folder`."""

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError


def test_a_folder_from_python(tmp_path):
    place = tmp_path / "in"
    place.mkdir()
    (sequence,) = synthetic_sequences(["S9"], frames=30, actions=["Walking"], skeleton="h36m_17")[:1]
    points = np.stack([sequence.pose_2d, sequence.pose_2d + 300])
    facts = {"layout": "h36m_17", "fps": 50}
    np.savez(place / "pair.npz", keypoints=points, **facts)
    (place / "broken.json").write_text("[")
    lines = []
    size = {"width": 2000, "height": 2000}
    settings = {"formats": ["npz", ".trc"], "people": "all", "workers": 1, "log": lines.append, **size}
    result = tf_pose3d.lift_folder(place, tmp_path / "out", **settings)
    assert (result.done, set(result.failed)) == (1, {"broken.json"})
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"pair_0.npz", "pair_0.trc", "pair_1.npz", "pair_1.trc", "manifest.jsonl"}
    # What the lifter gives in this process, whose libraries may take more threads.
    video = tf_pose3d.read_keypoints(place / "pair.npz", **size)
    for number, person in enumerate(tf_pose3d.load().lift_all(video)):
        with np.load(tmp_path / "out" / f"pair_{number}.npz") as file:
            np.testing.assert_allclose(file["pose_3d"], person.pose_3d, atol=1e-5)
    assert tf_pose3d.lift_folder(place, tmp_path / "out", **settings).skipped == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formats": ".npz"}, "expected endings"),
        ({"formats": []}, "expected endings"),
        ({"formats": ["docx"]}, "expected a name that ends in"),
        ({"weights": "nowhere.h5"}, r"nowhere\.h5 does not exist"),
        ({"shard": "4/3"}, "expected 1/3 to 3/3"),
        ({"engine": "slurm"}, "expected processes or ray"),
    ],
)
def test_wrong_arguments(tmp_path, settings, message):
    (tmp_path / "x.npz").touch()
    with pytest.raises(Pose3DError, match=message):
        tf_pose3d.lift_folder(tmp_path, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()
