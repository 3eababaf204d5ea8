import sys
import time

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.render import check_picture, draw, make_scene


def frames_of(path):
    """(frames, seconds) of a file that plays."""
    if path.suffix == ".gif":
        frames = [frame.info["duration"] for frame in ImageSequence.Iterator(Image.open(path))]
        return len(frames), sum(frames) / 1000
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        seconds = float(stream.duration * stream.time_base)
        return sum(1 for _ in container.decode(stream)), seconds


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
@pytest.mark.parametrize("flags", [{}, {"downsample": 2, "limit": 7}, {"skip": 5, "downsample": 3}])
def test_as_many_frames_as_asked_and_for_as_long(sequence, poses, tmp_path, suffix, flags):
    scene = make_scene(sequence, poses, **flags)
    path = tmp_path / f"clip{suffix}"
    assert draw(scene, path, 1) == len(scene)
    frames, seconds = frames_of(path)
    assert frames == len(scene)
    assert seconds == pytest.approx(len(scene) * flags.get("downsample", 1) / 50, abs=0.011)


def test_single_picture_sheet_and_numbered_files(sequence, poses, tmp_path):
    assert draw(make_scene(sequence, poses, limit=1), tmp_path / "one.png", 1) == 1
    assert Image.open(tmp_path / "one.png").size == (300, 100)
    assert draw(make_scene(sequence, poses, limit=5), tmp_path / "five.png", 1) == 5
    assert Image.open(tmp_path / "five.png").size == (600, 300)
    assert draw(make_scene(sequence, poses), tmp_path / "sheet.png", 1) == 12
    assert Image.open(tmp_path / "sheet.png").size == (600, 600)
    assert draw(make_scene(sequence, poses, limit=3), tmp_path / "frame_%02d.png", 1) == 3
    assert sorted(file.name for file in tmp_path.glob("frame_*")) == [
        "frame_00.png",
        "frame_01.png",
        "frame_02.png",
    ]


def test_video_frames_belong_to_their_poses(sequence, poses, video, tmp_path):
    scene = make_scene(sequence, poses, skip=1, downsample=2, limit=3)
    assert draw(scene, tmp_path / "frame_%d.png", 3, video) == 3
    for number, frame in enumerate([1, 3, 5]):
        picture = np.asarray(Image.open(tmp_path / f"frame_{number}.png"))
        levels, counts = np.unique(picture[60:240, 60:240].reshape(-1, 3), axis=0, return_counts=True)
        np.testing.assert_allclose(levels[counts.argmax()], 10 * frame + 40, atol=3)


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".html"])
def test_clip_ends_with_its_video(sequence, poses, video, tmp_path, suffix):
    scene = make_scene(sequence, poses)
    assert draw(scene, tmp_path / f"clip{suffix}", 1, video) == 8
    if suffix == ".html":
        assert (tmp_path / "clip.html").read_text().count("data:image/jpeg;base64,") == 8
    else:
        assert frames_of(tmp_path / f"clip{suffix}")[0] == 8


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("clip.avi", {}, "ends in .gif, .mp4, .png, .html"),
        ("clip_%d.gif", {}, "%04d may stand once"),
        ("%d_%d.png", {}, "%04d may stand once"),
        ("clip.gif", {"size": 0.1}, "size 0.1 are not drawn, expected 0.8 to 40"),
        ("clip.mp4", {"bitrate": 0}, "bit rate of 0 kbit/s"),
        ("clip.gif", {"fps": 60.0}, "no more than 50 pictures per second, not 60"),
        ("clip.gif", {"video": "nothing.mp4"}, "nothing.mp4 does not exist"),
    ],
)
def test_what_cannot_be_drawn_is_said_before(name, changes, message):
    settings = {"image_size": (1000, 1000), "fps": 50.0, **changes}
    with pytest.raises(Pose3DError, match=message):
        check_picture(name, **settings)


def test_video_that_ends_too_early_leaves_nothing(sequence, poses, video, tmp_path):
    with pytest.raises(Pose3DError, match="ends before frame 10, the first to draw"):
        draw(make_scene(sequence, poses, skip=10), tmp_path / "clip.gif", 1, video)
    assert not list(tmp_path.iterdir())


def test_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Pose3DError, match=r'needs Pillow.*pip install "\.\[render\]"'):
        check_picture("clip.gif", (1000, 1000), 50.0)
    check_picture("clip.html", (1000, 1000), 50.0)


def test_progress_is_shown(sequence, poses, tmp_path, capsys):
    draw(make_scene(sequence, poses, limit=4), tmp_path / "clip.gif", 1, show_progress=True)
    assert "drawing clip.gif: 4/4" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".html", "_%04d.png"])
def test_a_thousand_frames_take_less_than_a_minute(tmp_path, suffix):
    sequence = synthetic_sequences(["S11"], frames=1000, actions=["Walking"], skeleton="h36m_17")[0]
    scene = make_scene(sequence, sequence.pose_3d)
    # Processor time, all threads together, so that other work on the machine does not count.
    start = time.process_time()
    assert draw(scene, tmp_path / f"clip{suffix}") == 1000
    assert time.process_time() - start < 60
