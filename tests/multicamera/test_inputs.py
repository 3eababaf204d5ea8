import json
import shutil

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.reading import read_keypoints
from tf_pose3d.multicamera.inputs import read_views, view_clips


@pytest.fixture
def folders(scenes, tmp_path):
    rig = scenes.rig(2)
    keypoints = scenes.seen(rig, scenes.walker(6))
    return scenes.write(tmp_path / "views", [keypoints], rig), keypoints


def test_folders_patterns_and_a_folder_of_folders_are_views(folders, tmp_path):
    paths, keypoints = folders
    for given in (paths, str(tmp_path / "views" / "cam*_json"), tmp_path / "views"):
        clips = read_views(given)
        assert [clip.label for clip in clips] == ["cam01_json", "cam02_json"]
        for clip, points in zip(clips, keypoints, strict=True):
            np.testing.assert_allclose(clip.keypoints, points, atol=1e-3, equal_nan=True)
            assert clip.number.tolist() == list(range(6))


def test_one_folder_with_two_cameras_is_two_views(folders, tmp_path):
    paths, keypoints = folders
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in paths:
        shutil.copytree(path, mixed, dirs_exist_ok=True)
    clips = read_views([mixed])
    assert [clip.label for clip in clips] == ["cam01", "cam02"]
    assert len(clips[0].numbers) == 6
    assert "several cameras" in clips[0].notes[-1]
    np.testing.assert_allclose(clips[1].keypoints, keypoints[1], atol=1e-3, equal_nan=True)


def test_one_camera_is_not_lifted_from_a_folder_of_two(folders, tmp_path):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for path in folders[0]:
        shutil.copytree(path, mixed, dirs_exist_ok=True)
    with pytest.raises(Pose3DError, match=r"files of several cameras \(cam01, cam02\)"):
        read_keypoints(mixed)


def test_arrays_videos_and_files_go_by_name(folders, scenes):
    paths, keypoints = folders
    clips = read_views({"a": keypoints[0], "b": read_keypoints(paths[1]), "c": paths[0]}, layout="halpe_26")
    assert [clip.label for clip in clips] == ["a", "b", "c"]
    np.testing.assert_allclose(clips[0].keypoints, keypoints[0], equal_nan=True)
    with pytest.raises(Pose3DError, match="does not name its joints"):
        read_views({"a": keypoints[0]})
    with pytest.raises(Pose3DError, match="26 joints, expected the 17"):
        read_views({"a": keypoints[0]}, layout="coco_17")


def test_layouts_may_differ(folders, scenes, tmp_path):
    _, keypoints = folders
    coco = tmp_path / "coco.json"
    frames = [
        {"image_id": number, "category_id": 1, "score": 1, "keypoints": points[:17].reshape(-1).tolist()}
        for number, points in enumerate(np.nan_to_num(keypoints[1]).astype(float))
    ]
    coco.write_text(json.dumps(frames))
    clips, skeleton = view_clips([*read_views({"a": keypoints[0]}, layout="halpe_26"), *read_views([coco])])
    assert skeleton.name == "coco_17"
    assert [clip.keypoints.shape[1] for clip in clips] == [17, 17]


def test_empty_objects_are_frames_without_anyone(folders, tmp_path):
    paths, _ = folders
    first = sorted((tmp_path / "views" / "cam01_json").iterdir())[0]
    first.write_text("{}")
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    for number in range(3):
        (nobody / f"nobody_{number:04d}.json").write_text("{}")
    clips, skeleton = view_clips(read_views([*paths, nobody]))
    assert clips[0].number.tolist() == [1, 2, 3, 4, 5]
    assert clips[0].numbers.tolist() == list(range(6))
    # A view without anyone does not decide which joints there are.
    assert skeleton.name == "halpe_26"
    assert clips[2].keypoints.shape == (0, 26, 3)


def test_bad_inputs_are_told(folders, tmp_path):
    with pytest.raises(Pose3DError, match="no file matches"):
        read_views(str(tmp_path / "nothing*"))
    with pytest.raises(Pose3DError, match="does not exist"):
        read_views([str(tmp_path / "nothing")])
    with pytest.raises(Pose3DError, match="two views are called cam01_json"):
        read_views([folders[0][0], folders[0][0]])
    with pytest.raises(Pose3DError, match="unknown input format"):
        read_views(folders[0], input_format="poses")
