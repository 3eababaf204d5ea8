"""Videos of coloured frames, made on the spot."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest


@pytest.fixture
def make_video(tmp_path):
    """Writes a video whose frames are grey, 8 levels brighter from one to the next, at given times."""
    import av

    def make(name="clip.mp4", times=None, size=(64, 48), count=10, fps=10, rotation=0, codec="libx264"):
        path = tmp_path / name
        times = np.arange(count) / fps if times is None else times
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            stream.codec_context.max_b_frames = 0
            if rotation:
                if not hasattr(stream, "set_display_rotation"):
                    pytest.skip("this PyAV cannot write a rotation")
                stream.set_display_rotation(rotation)
            for number, time in enumerate(times):
                image = np.full((size[1], size[0], 3), (16 + 8 * number) % 256, np.uint8)
                image[: size[1] // 4, : size[0] // 4] = 255
                frame = av.VideoFrame.from_ndarray(image)
                frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


class Spot:
    """Stands in for a detector: one person whose joints lie as far to the right as the image is bright."""

    layout = "coco_17"

    def __init__(self, model=None):
        self.seen = []

    def __call__(self, image, milliseconds):
        self.seen.append((image.shape, milliseconds))
        place = float(image[-4:, -4:, 0].mean())
        points = np.full((17, 3), 20.0)
        points[:, 0] = place / 8
        points[:, 1] = np.linspace(2, 40, 17)
        points[:, 2] = 0.9
        return [points]


@pytest.fixture
def spot():
    return Spot()
