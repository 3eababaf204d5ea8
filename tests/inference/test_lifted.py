"""What lifting gives, from Python: the road from a file to a saved, plotted and shown person."""

import dataclasses
import html
import json
import re
import sys

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.lifter import KeypointWarning, Lifter
from tf_pose3d.inference.motion.stature import standing_height
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.trajectory import camera_trajectory
from tf_pose3d.inference.writers import WRITERS
from tf_pose3d.models.loading import build_model, save_model
from tf_pose3d.models.martinez.family import MartinezFamily

FRAMES = 30


@pytest.fixture(scope="module")
def recording():
    return synthetic_sequences(["S9"], frames=FRAMES, actions=["Walking"], skeleton="h36m_17")[0]


@pytest.fixture(scope="module")
def model():
    return build_model(MartinezFamily.config_class())


@pytest.fixture(scope="module")
def lifter(model):
    return Lifter(model)


@pytest.fixture(scope="module")
def keypoints(recording, tmp_path_factory):
    """A file of two people: the recording's, and the same at half the size."""
    path = tmp_path_factory.mktemp("keypoints") / "walk.npz"
    np.savez(path, keypoints=recording.pose_2d, width=1000, height=1002, fps=30.0, layout="h36m_17")
    return path


@pytest.fixture(scope="module")
def person(lifter, keypoints):
    return lifter.lift(tf_pose3d.read_keypoints(keypoints))


def two_people(tmp_path, recording):
    """MMPose's tracked predictions: person 4 is larger than person 7."""
    frames = []
    for number, points in enumerate(recording.pose_2d[:5].tolist()):
        halved = [[x / 2, y / 2] for x, y in points]
        people = [
            {"keypoints": held, "keypoint_scores": [0.9] * 17, "track_id": track}
            for track, held in ((7, halved), (4, points))
        ]
        frames.append({"frame_id": number, "instances": people})
    path = tmp_path / "two.json"
    path.write_text(json.dumps(frames))
    return path


def test_the_short_road(model, keypoints, recording, tmp_path, monkeypatch):
    """The example of the documentation: from files to a saved person with public names only."""
    monkeypatch.chdir(tmp_path)
    save_model(model, "x.h5")
    lifter = tf_pose3d.load("x.h5")
    person = lifter.lift(tf_pose3d.read_keypoints(keypoints))
    person.save("walk.bvh")
    assert (tmp_path / "walk.bvh").read_text().startswith("HIERARCHY")
    assert isinstance(person, tf_pose3d.LiftedPerson)
    poses = lifter(recording.pose_2d, width=1000, height=1002, fps=30, layout="h36m_17")
    np.testing.assert_array_equal(person.pose_3d, poses)
    np.testing.assert_array_equal(lifter(tf_pose3d.read_keypoints(keypoints)), poses)
    assert (person.fps, person.camera.width, person.name, person.subject) == (30, 1000, "walk.npz", "")


def test_read_keypoints(keypoints, recording, tmp_path):
    video = tf_pose3d.read_keypoints(keypoints)
    assert repr(video) == (
        f"<KeypointVideo {keypoints}: array, h36m_17, 30 frames of 1000x1002 at 30 per second, 1 person>"
    )
    assert repr(video.people[0]) == "<Person 0: 30 frames from 0 to 29, 17 joints, mean confidence 1.00>"
    assert tf_pose3d.read_keypoints(keypoints, fps=25).fps == 25
    with pytest.raises(Pose3DError, match=r"width 640: .*walk\.npz says 1000"):
        tf_pose3d.read_keypoints(keypoints, width=640)
    np.save(tmp_path / "bare.npy", recording.pose_2d)
    bare = tf_pose3d.read_keypoints(tmp_path / "bare.npy", layout="h36m_17")
    assert "30 frames of unknown size at an unknown rate" in repr(bare)
    with pytest.raises(Pose3DError, match=r"bare\.npy has 17 joints"):
        tf_pose3d.read_keypoints(tmp_path / "bare.npy")


def test_what_a_file_does_not_tell(lifter, recording, tmp_path):
    np.save(tmp_path / "bare.npy", recording.pose_2d)
    video = tf_pose3d.read_keypoints(tmp_path / "bare.npy", layout="h36m_17")
    with pytest.raises(Pose3DError, match=r"bare\.npy does not tell the image size; give width and height"):
        lifter.lift(video)
    person = lifter.lift(video, width=1000, height=1002)
    assert person.fps == 50
    assert "does not tell its frame rate: taken as 50 per second" in person.warnings[0]
    with pytest.raises(Pose3DError, match="was read as h36m_17; give the layout to read_keypoints"):
        lifter.lift(video, width=1000, height=1002, layout="coco_17")


def test_people(lifter, recording, tmp_path):
    video = tf_pose3d.read_keypoints(
        two_people(tmp_path, recording), layout="h36m_17", width=1000, height=1002
    )
    largest = lifter.lift(video)
    both = {person.subject: person for person in lifter.lift_all(video)}
    assert set(both) == {"person 4", "person 7"}
    np.testing.assert_array_equal(largest.pose_3d, both["person 4"].pose_3d)
    np.testing.assert_array_equal(lifter.lift(video, people="7").pose_3d, both["person 7"].pose_3d)
    with pytest.raises(Pose3DError, match="lift_all gives everyone"):
        lifter.lift(video, people="all")
    with pytest.raises(Pose3DError, match="no person of that id"):
        lifter.lift(video, people="9")


@pytest.mark.parametrize("suffix", WRITERS)
def test_save(person, tmp_path, suffix):
    if suffix == ".c3d":
        pytest.importorskip("ezc3d")
    if suffix == ".rrd":
        pytest.importorskip("rerun")
    if suffix == ".fbx":
        pytest.skip("Blender takes its time: writers/test_fbx.py")
    person.save(tmp_path / f"walk{suffix}")
    assert (tmp_path / f"walk{suffix}").stat().st_size > 1000


def test_placements(person, tmp_path):
    held = {}
    for placement in ("root", "camera", "floor"):
        person.save(tmp_path / f"{placement}.npy", placement=placement)
        held[placement] = np.load(tmp_path / f"{placement}.npy")
    np.testing.assert_array_equal(held["root"], person.pose_3d)
    np.testing.assert_allclose(held["floor"][..., 1].max(axis=1), 0, atol=1e-6)
    place = camera_trajectory(person.pose_3d, person.keypoints, person.camera)
    np.testing.assert_allclose(held["camera"], person.pose_3d + place[:, None], atol=1e-5)
    with pytest.raises(Pose3DError, match="placement is 'moon', expected root, camera, floor or world"):
        person.save(tmp_path / "x.npy", placement="moon")
    with pytest.raises(Pose3DError, match=r"walk\.txt: expected a name that ends in"):
        person.save(tmp_path / "walk.txt")


def test_reprs(lifter, person):
    assert re.fullmatch(r"<Lifter Martinez: h36m_16, single frames, [\d,]+ parameters>", repr(lifter))
    assert repr(person).startswith("<LiftedPerson walk.npz: 30 frames (1.00 s at 30 per second), h36m_16")
    gone = dataclasses.replace(person, present=np.arange(FRAMES) < 25, warnings=("x",), subject="person 2")
    assert repr(gone).startswith("<LiftedPerson walk.npz, person 2: 30 frames (1.00 s at 30 per second)")
    assert "5 frames without a pose, 1 warning" in repr(gone)


def test_plot(person, tmp_path):
    pytest.importorskip("matplotlib")
    figure = person.plot()
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes][::5] == ["frame 0", "frame 29"]
    # Every bone is a line whose length is the skeleton's.
    (axes,) = person.plot(12, azimuth=30).axes
    assert axes.azim == 30
    lines = [np.stack(line.get_data_3d()) for line in axes.get_lines()]
    lengths = [np.linalg.norm(line[:, 1] - line[:, 0]) for line in lines]
    # Pictures show one skeleton, turned level.
    pose = person.with_constant_bones().pose_3d[12]
    bones = [pose[child] - pose[parent] for parent, child in person.skeleton.bones]
    np.testing.assert_allclose(lengths, np.linalg.norm(bones, axis=1), rtol=1e-4)
    assert min(line[2].min() for line in lines) == pytest.approx(0, abs=1e-6)
    assert len(person.plot([3, 5]).axes) == 2
    figure.savefig(tmp_path / "walk.png")
    assert figure._repr_png_()[:4] == (tmp_path / "walk.png").read_bytes()[:4] == b"\x89PNG"


def test_what_cannot_be_plotted(person, monkeypatch):
    pytest.importorskip("matplotlib")
    missing = person.pose_3d.copy()
    missing[3] = np.nan
    gone = dataclasses.replace(person, pose_3d=missing, present=np.arange(FRAMES) != 3)
    with pytest.raises(Pose3DError, match=r"walk\.npz: there is no frame 30, expected 0 to 29"):
        person.plot(30)
    with pytest.raises(Pose3DError, match="frame 3 has no pose"):
        gone.plot([2, 3])
    for wrong in ("all", [], 1.5):
        with pytest.raises(Pose3DError, match="expected the number of a frame"):
            person.plot(wrong)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(Pose3DError, match=r'needs matplotlib.*pip install "\.\[plots\]"'):
        person.plot()


def test_names_are_no_formulas(person):
    pytest.importorskip("matplotlib")
    dataclasses.replace(person, name="a_$x^$").plot(0)._repr_png_()


def test_page_in_a_notebook(person):
    frame = dataclasses.replace(person, name='"</iframe><script>')._repr_html_()
    held = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" style="[^"]*"></iframe>', frame)
    page = html.unescape(held[1])
    assert page.startswith("<!DOCTYPE html>")
    scene = json.loads(re.search(r'<script id="scene" type="application/json">(.*?)</script>', page, re.S)[1])
    assert scene["frames"] == list(range(FRAMES))
    assert scene["title"] == '"</iframe><script>'


def test_long_clips_are_thinned_out_for_a_notebook(person, monkeypatch):
    monkeypatch.setattr("tf_pose3d.inference.lifted._PAGE_FRAMES", 12)
    page = html.unescape(person._repr_html_())
    scene = json.loads(re.search(r'<script id="scene" type="application/json">(.*?)</script>', page, re.S)[1])
    assert scene["frames"] == list(range(0, FRAMES, 3))
    assert scene["fps"] == 10


def test_a_layout_that_is_supposed_is_said_once(model, recording):
    lifter = Lifter(model)
    points = recording.pose_2d[:4]
    with pytest.warns(KeypointWarning) as said:
        both = [lifter.lift(points[:, :16], 1000, 1002) for _ in range(2)]
    assert len(said) == 1 < len(both)
    assert str(said[0].message) == ("keypoints_2d comes without a layout: its 16 joints are taken as h36m_16")
    with pytest.raises(Pose3DError, match="has 17 joints; say which layout these are: h36m_17, uplift_17,"):
        lifter.lift(points, 1000, 1002)
    with pytest.raises(Pose3DError, match="has 5 joints; say which layout these are: no layout here"):
        lifter.lift(points[:, :5], 1000, 1002)


def test_a_layout_that_only_one_has_is_taken(model, recording):
    lifter = Lifter(model)
    points = np.full((3, 33, 3), 0.9, np.float32)
    points[..., :2] = np.random.default_rng(0).uniform(300, 600, (3, 33, 2))
    with pytest.warns(KeypointWarning, match="its 33 joints are taken as mediapipe_33$"):
        lifter.lift(points, 1000, 1002)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1000, 1002, "30"), "keypoints_2d: fps is '30', expected a number"),
        ((None, 1002), "keypoints_2d: no image size, expected width and height"),
        (("1000", 1002), "width is '1000', expected a number"),
        ((1000, 1002, 0), "0 frames per second"),
        ((1000, 1002, float("nan")), "nan frames per second"),
        ((1000, 1002, 30, 17), "layout is 17, expected the name of a joint layout"),
        ((1000, 1002, 30, "h36m_17", 0), "a focal length of 0 pixels, expected one above 0"),
        ((1000, 1002, 30, "h36m_17", "wide"), "focal_length is 'wide', expected a number"),
    ],
)
def test_arguments_of_another_kind(lifter, recording, arguments, message):
    with pytest.raises(Pose3DError, match=re.escape(message)):
        lifter(recording.pose_2d, *arguments)


def test_keypoints_that_are_no_numbers(lifter):
    with pytest.raises(Pose3DError, match="keypoints_2d is no array of numbers"):
        lifter([["a"]], 1000, 1002, layout="h36m_17")


def test_settings_that_are_no_numbers(model):
    with pytest.raises(Pose3DError, match=r"min_confidence is '0\.3', expected a number"):
        Lifter(model, min_confidence="0.3")


def test_smoothed_with_constant_bones(person):
    noise = np.random.default_rng(0).normal(0, 0.02, person.pose_3d.shape).astype(np.float32)
    noise[:, person.root] = 0
    present = np.arange(FRAMES) < 24
    present[20] = False
    poses = person.pose_3d + noise
    poses[~present] = np.nan
    rough = dataclasses.replace(person, pose_3d=poses, present=present)
    smooth = rough.smoothed(6)
    jitter = [np.abs(np.diff(held.pose_3d[:20], 2, axis=0)).mean() for held in (rough, smooth)]
    assert jitter[1] < 0.3 * jitter[0]
    assert smooth.warnings[-1] == (
        "3 of 23 frames with a pose are not smoothed: they lie in runs of fewer than 10 frames"
    )
    even = smooth.with_constant_bones()
    np.testing.assert_array_equal(np.isnan(even.pose_3d[:, 0, 0]), ~present)
    lengths = [
        np.linalg.norm(even.pose_3d[:, a] - even.pose_3d[:, b], axis=1) for a, b in even.skeleton.bones
    ]
    lengths = np.array(lengths)[:, present]
    np.testing.assert_allclose(lengths, lengths[:, :1].repeat(23, axis=1), rtol=1e-4)
    assert (even.pose_3d[present, even.root] == 0).all()
    nobody = dataclasses.replace(rough, present=np.zeros(FRAMES, bool))
    assert nobody.with_constant_bones() is nobody
    with pytest.raises(Pose3DError, match="a cutoff of 15 Hz at 30 frames per second"):
        person.smoothed(15)


def test_rotations(person):
    rig = person.to_rotations()
    assert rig.names[:3] == ("pelvis", "l_hip", "l_knee")
    assert rig.quaternions().shape == (FRAMES, len(rig.names), 4)
    even = person.with_constant_bones().staged(MotionSteps(level="auto")).motion
    np.testing.assert_allclose(rig.positions(), even.upright(), atol=1e-4)
    nobody = dataclasses.replace(person, present=np.zeros(FRAMES, bool), pose_3d=person.pose_3d * np.nan)
    with pytest.raises(Pose3DError, match="none of the 30 frames has a pose"):
        nobody.to_rotations()


def test_files_for_animation_are_level_and_those_of_numbers_as_lifted(person, tmp_path):
    person.save(tmp_path / "plain.npz")
    person.save(tmp_path / "level.npz", level="auto", stature=1.7)
    plain, level = np.load(tmp_path / "plain.npz"), np.load(tmp_path / "level.npz")
    np.testing.assert_array_equal(plain["pose_3d"], person.pose_3d)
    assert "axes" not in plain
    assert (str(level["axes"]), str(level["level_by"])) == ("world, z up", "person")
    assert standing_height(level["pose_3d"], person.skeleton) == pytest.approx(1.7, rel=1e-3)
    person.save(tmp_path / "raw.trc", raw=True)
    person.save(tmp_path / "level.trc")
    raw, level = (
        np.array((tmp_path / f"{name}.trc").read_text().splitlines()[6].split("\t")[2:], float)
        for name in ("raw", "level")
    )
    np.testing.assert_allclose(raw.reshape(-1, 3), person.pose_3d[0] * [1000, -1000, -1000], atol=1e-2)
    assert level.reshape(-1, 3)[:, 1].min() == pytest.approx(0, abs=1e-3)
    with pytest.raises(Pose3DError, match="raw poses are not turned level"):
        person.save(tmp_path / "x.bvh", raw=True, level="auto")
