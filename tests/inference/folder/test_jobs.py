"""What is found in a folder, under which names, and in which shard."""

import json
import os
import time

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.folder.jobs import Job, Shard, find_jobs, output_stems, stamp_of
from tf_pose3d.inference.folder.manifest import Manifest, manifest_name

OPENPOSE = {"version": 1.3, "people": []}


def fill(folder, *names, content=b"x"):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def frames(folder, count=3):
    for number in range(count):
        fill(folder, f"walk_{number:012d}_keypoints.json", content=json.dumps(OPENPOSE).encode())


def found(place, output=None):
    jobs, notes = find_jobs(place, output)
    return [(job.name, job.kind) for job in jobs], notes


def test_videos_keypoints_and_folders_of_frames_are_jobs(tmp_path):
    fill(tmp_path, "b10.mp4", "b9.MOV", "a/x.json", "a/deep/y.npz", "notes.txt", ".hidden.json", "LICENSE")
    frames(tmp_path / "c")
    fill(tmp_path / "c", "walk.mp4", "more/z.csv")
    jobs, notes = found(tmp_path)
    assert jobs == [
        ("a/deep/y.npz", "keypoints"),
        ("a/x.json", "keypoints"),
        ("b9.MOV", "video"),
        ("b10.mp4", "video"),
        ("c", "frames"),
        ("c/more/z.csv", "keypoints"),
        ("c/walk.mp4", "video"),
    ]
    assert notes == ["files of other kinds are left out: 1 .txt, 1 without an ending"]


def test_a_folder_of_frames_itself_is_one_job(tmp_path):
    frames(tmp_path / "walk")
    fill(tmp_path / "walk", "walk.mp4")
    assert found(tmp_path / "walk")[0] == [("walk", "frames"), ("walk.mp4", "video")]


def test_one_file(tmp_path):
    fill(tmp_path, "walk.mp4")
    assert found(tmp_path / "walk.mp4")[0] == [("walk.mp4", "video")]


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ([OPENPOSE, {}, OPENPOSE], "frames"),
        ([{}, {}], "frames"),
        ([[{"keypoints": [[1, 2]], "keypoint_scores": [1]}]] * 2, "frames"),
        ([[{"x": 1, "y": 2}]] * 2, "frames"),
        ([[[{"x": 1, "y": 2}]], [[{"x": 1, "y": 2}]] * 2], "frames"),
        ([[OPENPOSE], [OPENPOSE]], "clips"),
        ([[[{"x": 1, "y": 2}]] * 100] * 2, "clips"),
        ([{"instance_info": []}] * 2, "clips"),
        ([[{"image_id": 1, "keypoints": [1]}]] * 2, "clips"),
        ([{"images": [], "annotations": []}] * 2, "clips"),
        ([OPENPOSE, {"fps": 25}], "clips"),
    ],
)
def test_frames_and_clips_are_told_apart_by_content(tmp_path, contents, expected):
    for number, content in enumerate(contents):
        fill(tmp_path, f"in/clip_{number}.json", content=json.dumps(content).encode())
    jobs, _ = found(tmp_path)
    assert len(jobs) == (1 if expected == "frames" else len(contents))
    assert jobs[0][1] == ("frames" if expected == "frames" else "keypoints")


def test_labels_are_frames_and_other_texts_are_not(tmp_path):
    fill(tmp_path, "labels/a_1.txt", "labels/a_2.txt", content=b"0 0.5 0.5 0.2 0.2 0.1 0.1 2\n")
    fill(tmp_path, "texts/read.txt", content=b"read me\n")
    fill(tmp_path, "x.json")
    jobs, notes = found(tmp_path)
    assert jobs == [("labels", "frames"), ("x.json", "keypoints")]
    assert notes == ["files of other kinds are left out: 1 .txt"]


def test_results_are_no_inputs(tmp_path):
    fill(tmp_path, "x.json", "out/x.npz", "old/x.npz", "other/x.npz")
    Manifest(tmp_path / "old" / manifest_name("1-of-2")).close()
    jobs, notes = found(tmp_path, tmp_path / "out")
    assert [name for name, _ in jobs] == ["other/x.npz", "x.json"]
    assert notes == ["left out, as it holds results of such a run: old, out"]


def test_links_are_followed_once(tmp_path):
    fill(tmp_path, "in/a/x.json", "elsewhere/y.json")
    os.symlink(tmp_path / "elsewhere", tmp_path / "in" / "b")
    os.symlink(tmp_path / "in", tmp_path / "in" / "a" / "again")
    os.symlink(tmp_path / "nothing", tmp_path / "in" / "gone.json")
    assert [name for name, _ in found(tmp_path / "in")[0]] == ["a/x.json", "b/y.json", "gone.json"]


@pytest.mark.parametrize("names", [[], ["a.txt", "b.txt", "c"], [".x.json"]])
def test_nothing_to_lift(tmp_path, names):
    fill(tmp_path, *names)
    with pytest.raises(Pose3DError, match="holds no video and no keypoint file to lift") as caught:
        find_jobs(tmp_path)
    assert ("2 .txt, 1 without an ending" in str(caught.value)) == (len(names) == 3)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(Pose3DError, match="does not exist, expected a folder of videos"):
        find_jobs(tmp_path / "x")


def test_results_never_meet(tmp_path):
    fill(tmp_path, "walk.mp4", "walk.json", "run.mp4", "a/walk.mp4", "walk.json.csv", "A.json", "a.csv")
    jobs, _ = find_jobs(tmp_path)
    stems = output_stems(jobs)
    assert stems == {
        "run.mp4": "run",
        "walk.mp4": "walk.mp4",
        "walk.json": "walk.json",
        "walk.json.csv": "walk.json.csv",
        "a/walk.mp4": "a/walk",
        "A.json": "A.json",
        "a.csv": "a.csv",
    }
    fill(tmp_path, "run_1.json")
    jobs, _ = find_jobs(tmp_path)
    assert output_stems(jobs)["run_1.json"] == "run_1"
    assert output_stems(jobs, suffixed=True)["run_1.json"] == "run_1.json"


def test_shards_are_all_of_it_once_and_by_name_alone(tmp_path):
    jobs = [Job(f"{number}.mp4", tmp_path / f"{number}.mp4", "video") for number in range(400)]
    shards = [Shard(number, 4) for number in range(1, 5)]
    shares = [[job for job in jobs if shard.has(job)] for shard in shards]
    assert sorted(job.name for share in shares for job in share) == sorted(job.name for job in jobs)
    assert all(70 < len(share) < 130 for share in shares)
    assert all(shards[0].has(job) for job in shares[0][:7])
    assert all(Shard().has(job) for job in jobs)


def test_shards_of_the_command_line():
    assert Shard.parse("3/16") == Shard(3, 16)
    assert str(Shard.parse(" 1/1 ")) == "1/1"
    assert Shard(3, 16).part == "3-of-16"
    for text in ("", "3", "3/", "a/b", "-1/2", "1/2/3", "1.5/2"):
        with pytest.raises(Pose3DError, match=r"expected NUMBER/COUNT, e\.g\. 3/16"):
            Shard.parse(text)
    for text in ("0/16", "17/16", "1/0"):
        with pytest.raises(Pose3DError, match="shards are counted from 1, expected 1/"):
            Shard.parse(text)


def test_a_stamp_tells_of_every_frame(tmp_path):
    frames(tmp_path / "walk")
    (job,) = find_jobs(tmp_path)[0]
    before = stamp_of(job)
    assert before.files == 3
    later = time.time() + 5
    os.utime(tmp_path / "walk" / "walk_000000000001_keypoints.json", (later, later))
    assert stamp_of(job) != before
