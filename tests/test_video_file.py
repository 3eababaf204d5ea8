import pytest
from PIL import Image

from tf_pose3d.errors import Pose3DError
from tf_pose3d.render.video import VideoReader, write_mp4
from tf_pose3d.video_file import opened_video


def test_pictures_without_a_decoder_are_refused(tmp_path):
    """PyAV before 18 ends the process there."""
    path = tmp_path / "clip.mp4"
    write_mp4(path, [Image.new("RGB", (32, 48))] * 4, 25)
    with opened_video(path) as (container, stream):
        assert sum(1 for _ in container.decode(stream)) == 4
    content = path.read_bytes()
    assert content.count(b"avc1") > 0
    path.write_bytes(content.replace(b"avc1", b"zq9x"))
    with pytest.raises(Pose3DError, match=r"clip\.mp4 cannot be read as a video: FFmpeg has no decoder"):
        VideoReader(path)


def test_sound_alone_is_no_video(tmp_path):
    import av
    import numpy as np

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with (
        pytest.raises(Pose3DError, match=r"sound\.mp4 holds no video, expected a video file"),
        opened_video(path),
    ):
        pass
