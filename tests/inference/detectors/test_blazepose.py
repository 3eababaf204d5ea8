"""BlazePose on real people, beside the runtime that it comes from; pip gets all that this needs.

The video is the demo of Sports2D (BSD-3): a man who jumps from a wall with a somersault, a woman who walks.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.detectors import detect_people, make_detector
from tf_pose3d.inference.detectors.blazepose import BlazePose
from tf_pose3d.inference.detectors.files import detector_files, get_detector
from tf_pose3d.inference.detectors.networks import LandmarkNetwork, PeopleNetwork
from tf_pose3d.inference.detectors.regions import Region
from tf_pose3d.inference.keypoints import dense_keypoints

sys.path.insert(0, str(Path(__file__).parent))
from crowd import cut_out, paste

sys.path.pop(0)

pytestmark = pytest.mark.slow

# From this frame on a tree covers all but a sliver of the last person.
_IN_VIEW = 227
_FRAMES = 230


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder of the two networks."""
    try:
        return detector_files()[0].parent
    except Pose3DError:
        pass
    try:
        return get_detector(print, tmp_path_factory.mktemp("detector") / "blazepose")
    except Pose3DError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The video."""
    pytest.importorskip("ai_edge_litert")
    folder = tmp_path_factory.mktemp("sports2d")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "sports2d==0.8.34",
        "--dest",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        pytest.skip(f"pip could not get sports2d: {done.stderr.strip().splitlines()[-1]}")
    with zipfile.ZipFile(wheels[0]) as archive:
        archive.extract("Sports2D/Demo/demo.mp4", folder)
    return folder / "Sports2D" / "Demo" / "demo.mp4"


def frames_of(path):
    from tf_pose3d.render.video import VideoReader

    yield from VideoReader(path).arrays("rgba")


@pytest.fixture(scope="module")
def found(files, clip):
    video, interrupted = detect_people(clip, make_detector("blazepose", files))
    assert not interrupted
    return video


def test_somebody_is_found_in_every_frame_with_a_person(found):
    assert (found.num_frames, found.fps, found.width, found.height) == (_FRAMES, 30, 1768, 994)
    seen = np.zeros(_FRAMES, bool)
    for person in found.people:
        seen[person.frames] = True
    assert seen[:_IN_VIEW].mean() >= 0.99


def test_two_people_keep_their_ids_through_a_somersault(found):
    man, woman = sorted(found.people, key=lambda person: -len(person.frames))[:2]
    assert man.frames[0] == 0
    assert man.frames[-1] >= _IN_VIEW - 2
    assert len(man.frames) > 0.93 * _IN_VIEW
    assert (woman.frames[0], len(woman.frames) >= 145) == (45, True)
    # Whatever else is taken for people is short.
    assert all(len(person.frames) <= 10 for person in found.people if person not in (man, woman))
    for person in (man, woman):
        assert person.detector_pose.shape == (len(person.frames), 33, 3)
        thighs = person.detector_pose[:, 23] - person.detector_pose[:, 25]
        assert 0.2 < np.median(np.linalg.norm(thighs, axis=1)) < 0.6


def test_the_same_video_gives_the_same_bytes(files, clip, found):
    again, _ = detect_people(clip, BlazePose(files, threads=2))
    assert [person.id for person in again.people] == [person.id for person in found.people]
    for one, other in zip(found.people, again.people, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


@pytest.fixture(scope="module")
def cuts(clip, tmp_path_factory):
    """A folder of three short videos."""
    from tf_pose3d.render.video import write_mp4

    place = tmp_path_factory.mktemp("cuts")
    pictures = [Image.fromarray(image[..., :3]) for _, image in frames_of(clip)]
    # The man climbs, the woman walks by, and both.
    for name, first, box in (
        ("man", 20, (350, 0, 990, 360)),
        ("woman", 90, (900, 300, 1540, 660)),
        ("both", 60, (0, 0, 1768, 994)),
    ):
        write_mp4(
            place / f"{name}.mp4",
            [picture.crop(box).resize((640, 360)) for picture in pictures[first : first + 24]],
            30,
        )
    return place


def test_videos_of_a_folder_give_the_same_bytes_whoever_reads_them(files, cuts, tmp_path):
    results = {}
    for name, parts in {
        "one worker": [["--workers", "1"]],
        "two workers": [["--workers", "2"]],
        "two shards": [["--workers", "1", "--shard", "2/2"], ["--workers", "1", "--shard", "1/2"]],
        "two threads": [["--workers", "1", "--threads", "2"]],
    }.items():
        out = tmp_path / name
        for part in parts:
            command = [sys.executable, "inference.py", "--input", cuts, "--output_dir", out, *part]
            done = subprocess.run(
                [*command, "--detector_model", files, "--formats", "npz,bvh", "--people", "all"],
                cwd=Path(__file__).resolve().parents[3],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        results[name] = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".jsonl"}
    expected = results.pop("one worker")
    assert len(expected) >= 6
    assert {path.partition("_")[0] for path in expected} == {"man", "woman", "both"}
    assert results.pop("two workers") == expected
    assert results.pop("two shards") == expected
    # The lifter's products are summed in another order.
    assert set(results.pop("two threads")) == set(expected)


_REFERENCE = """
import json, sys
import av, mediapipe, numpy as np

path, out = sys.argv[1:]
from mediapipe.python.solution_base import SolutionBase
from mediapipe.python.solutions import pose as module

sides = {"model_complexity": 1, "enable_segmentation": False, "smooth_segmentation": False}
streams = ["pose_landmarks", "pose_rect_from_detection", "pose_rect_from_landmarks"]


def square(rect, width, height):
    if rect is None:
        return [np.nan] * 4
    return [rect.x_center * width, rect.y_center * height, rect.width * width, rect.rotation]


results = {}
for name in ("each", "video"):
    # The public class gives no squares; its graph and settings are these.
    options = {**sides, "smooth_landmarks": False, "use_prev_landmarks": name == "video"}
    rows, squares, following = [], [], [np.nan] * 4
    graph = SolutionBase(binary_graph_path=module._BINARYPB_FILE_PATH, side_inputs=options, outputs=streams)
    with graph, av.open(path) as container:
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            height, width = image.shape[:2]
            done = graph.process({"image": image})
            marks = done.pose_landmarks
            table = np.full((33, 3), np.nan)
            if marks is not None:
                table = np.array([(m.x * width, m.y * height, m.visibility) for m in marks.landmark])
            rows.append(table)
            detected = square(done.pose_rect_from_detection, width, height)
            squares.append(following if np.isfinite(following[0]) and name == "video" else detected)
            following = square(done.pose_rect_from_landmarks, width, height)
    results[name], results[name + "_squares"] = np.array(rows), np.array(squares)
np.savez(out, **results)
"""


@pytest.fixture(scope="module")
def reference(clip, tmp_path_factory):
    """Landmarks of MediaPipe 0.10.21, in an environment of its own: of single images, and of a video."""
    if sys.version_info >= (3, 13):
        pytest.skip("MediaPipe 0.10.21 has no wheel for this Python")
    folder = tmp_path_factory.mktemp("reference")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "mediapipe==0.10.21", "av"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip could not install mediapipe: {done.stderr.strip().splitlines()[-1]}")
    command = [str(python), "-c", _REFERENCE, str(clip), str(folder / "out.npz")]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(folder / "out.npz") as file:
        return dict(file)


def said(apart):
    """Distances in pixels, in a line."""
    mean, median, high = np.mean(apart), np.median(apart), np.quantile(apart, 0.95)
    return f"pixels apart: mean {mean:.2f}, median {median:.2f}, 95 % within {high:.2f}"


def test_landmarks_of_single_images_are_the_references(files, clip, reference):
    """Both networks and all between them, without any memory: detector, square, landmarks."""
    people, landmarks = detector_files(files)
    detect, look = PeopleNetwork(people), LandmarkNetwork(landmarks)
    apart, agreed = [], 0
    for (_, image), expected in zip(frames_of(clip), reference["each"], strict=True):
        scored = detect(image, 0.5)
        seen = look(image, scored[0][1]) if scored else None
        there = seen is not None and seen.presence > 0.5
        agreed += there == bool(np.isfinite(expected[0, 0]))
        if there and np.isfinite(expected[0, 0]):
            apart.append(np.linalg.norm(seen.keypoints[:, :2] - expected[:, :2], axis=1))
    assert agreed >= _FRAMES - 3
    print(said(apart))
    assert np.mean(apart) < 3
    assert np.median(apart) < 1


@pytest.mark.parametrize("run", ["each", "video"])
def test_landmarks_in_the_references_squares_are_the_references(files, clip, reference, run):
    """What the network sees in the square that MediaPipe looked into: cutting, landmarks, heat."""
    look = LandmarkNetwork(detector_files(files)[1])
    apart, moved = [], []
    rng = np.random.default_rng(0)
    rows = zip(frames_of(clip), reference[run], reference[f"{run}_squares"], strict=True)
    for (_, image), expected, (x, y, size, angle) in rows:
        if not np.isfinite(expected[0, 0]):
            continue
        seen = look(image, Region(x, y, size, angle))
        assert seen.presence > 0.5
        apart.append(np.linalg.norm(seen.keypoints[:, :2] - expected[:, :2], axis=1))
        step = 0.3 * rng.normal(size=3)
        other = look(image, Region(x + step[0], y + step[1], size + step[2], angle))
        moved.append(np.linalg.norm(seen.keypoints[:, :2] - other.keypoints[:, :2], axis=1))
    print(said(apart), f"{np.mean(np.array(apart) < 3):.1%} within 3;", "squares moved by 0.3:", said(moved))
    assert len(apart) > {"each": 130, "video": 215}[run]
    assert np.median(apart) < 0.5
    # As far as the network itself is steady: by less than a third of a pixel in the place of its square.
    assert np.mean(apart) < np.mean(moved)
    mean, most = {"each": (1.5, 5), "video": (1, 3)}[run]
    assert np.mean(apart) < mean
    assert np.quantile(apart, 0.95) < most


def test_landmarks_of_the_video_are_the_references(found, reference):
    """Tracked by each in its own squares. MediaPipe follows one person, this package both."""
    dense = np.stack([dense_keypoints(person, found.num_frames) for person in found.people])
    apart, frame_of, met, there = [], [], 0, 0
    for frame, expected in enumerate(reference["video"]):
        if not np.isfinite(expected[0, 0]):
            continue
        there += 1
        distance = np.linalg.norm(dense[:, frame, :, :2] - expected[:, :2], axis=-1)
        person = np.nan_to_num(np.median(distance, axis=1), nan=np.inf).argmin()
        if np.median(distance[person]) < 60:
            met += 1
            apart.append(distance[person])
            frame_of.append(frame)
    assert met >= 0.97 * there
    print(said(apart))
    for name, frames in (("before the jump", range(105)), ("turning over", range(105, 169))):
        print(name, said([apart[number] for number in range(len(apart)) if frame_of[number] in frames]))
    assert np.median(apart) < 3


# Who walks where: cut-outs of the woman or the man, mirrored or not, where the hips begin, pixels to the
# right in a frame, and the frame of the cut-outs to begin with.
_SCENES = {
    "three and one": [
        ("woman", True, (60, 470), 9, 0),
        ("woman", False, (1220, 490), -9, 30),
        ("woman", True, (330, 430), 6, 60),
        ("man", False, (900, 450), -5, 0),
    ],
    "two and two": [
        ("woman", True, (60, 470), 8, 0),
        ("woman", False, (1220, 475), -8, 40),
        ("man", False, (900, 460), -5, 10),
        ("man", True, (350, 480), 4, 50),
    ],
    "one person four times": [
        ("woman", True, (60, 460), 8, 0),
        ("woman", False, (1220, 500), -8, 40),
        ("woman", True, (350, 480), 4, 90),
        ("woman", False, (930, 440), -4, 10),
    ],
}
_TRUNK = [11, 12, 23, 24]


@pytest.fixture(scope="module")
def people(files, clip, found):
    """Cut-outs of both people, and the place without them."""
    network = LandmarkNetwork(detector_files(files)[1])
    man, woman = sorted(found.people, key=lambda person: -len(person.frames))[:2]
    from tf_pose3d.inference.detectors.regions import region_between

    cuts, places = {"man": [], "woman": []}, []
    spans = {"man": (man, 0, 150, 0.9), "woman": (woman, 50, 190, 0.7)}
    for number, (_, image) in enumerate(frames_of(clip)):
        if number % 12 == 0 and number <= 200:
            places.append(image[..., :3])
        for name, (person, first, last, scale) in spans.items():
            row = np.flatnonzero(person.frames == number)
            if first <= number < last and len(row):
                points = person.keypoints[row[0]]
                hips, shoulders = points[[23, 24], :2].mean(axis=0), points[[11, 12], :2].mean(axis=0)
                region = region_between(hips, hips + 1.9 * (shoulders - hips))
                cuts[name].append(cut_out(network, image, region, scale))
    empty = np.median(np.stack(places), axis=0).astype(np.uint8)
    return cuts, np.asarray(Image.fromarray(empty).resize((1280, 720)), np.float32) / 255


@pytest.mark.parametrize("scene", list(_SCENES))
def test_four_people_who_walk_past_each_other_keep_their_ids(files, people, scene):
    cuts, place = people
    detector = make_detector("blazepose", files)
    walkers = _SCENES[scene]
    ids = [Counter() for _ in walkers]
    first, last = [set() for _ in walkers], [set() for _ in walkers]
    for time in range(132):
        picture, truth = place.copy(), [None] * len(walkers)
        # Whoever is lower in the picture is nearer.
        for number in sorted(range(len(walkers)), key=lambda n: walkers[n][2][1]):
            name, mirrored, start, step, phase = walkers[number]
            turn = 2 * len(cuts[name]) - 2
            index = (time + phase) % turn
            person = cuts[name][min(index, turn - index)]
            person = person.mirrored() if mirrored else person
            truth[number] = paste(picture, person, np.array([start[0] + step * time, start[1]]))
        image = np.concatenate([picture, picture[..., :1]], axis=-1)
        image = (255 * image).clip(0, 255).astype(np.uint8)
        everyone = detector(image, 1000 * time / 30)
        middles = [points[_TRUNK, :2].mean(axis=0) for points in truth]
        for number, points in enumerate(truth):
            height = np.linalg.norm(points[[11, 12], :2].mean(axis=0) - points[[27, 28], :2].mean(axis=0))
            others = [np.linalg.norm(middles[number] - other) for other in middles]
            # Where two are in one place, nobody can say who was found.
            if sorted(others)[1] < 0.35 * height or not 20 < middles[number][0] < 1260:
                continue
            near = {
                person.id: np.linalg.norm(person.keypoints[_TRUNK, :2].mean(axis=0) - middles[number])
                for person in everyone
            }
            if near and min(near.values()) < 0.12 * height:
                who = min(near, key=near.get)
                ids[number][who] += 1
                (first if time < 30 else last)[number].add(who)
    print(scene, [dict(seen) for seen in ids])
    # Each was one, before and after all met in the middle, and no two were the same.
    for number in range(4):
        assert len(ids[number]) == 1
        assert first[number] == last[number]
        assert ids[number].total() >= 40
    assert len({next(iter(seen)) for seen in ids}) == 4
