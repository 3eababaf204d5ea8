"""Encodings, and what is no file that can be read twice."""

import importlib.util
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

_SPEC = importlib.util.spec_from_file_location("made_up", Path(__file__).with_name("made_up.py"))
made_up = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made_up)


@pytest.fixture
def text(coco):
    """COCO results of one person, as text."""
    return json.dumps(
        [
            {"image_id": frame, "category_id": 1, "keypoints": made_up.flat(pose, np.ones(17)), "score": 0.9}
            for frame, pose in enumerate(coco)
        ]
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(tmp_path, coco, text, encoding):
    """PowerShell's `>` writes UTF-16 with its mark."""
    path = tmp_path / "results.json"
    path.write_bytes(text.encode(encoding))
    video = made_up.read(path)
    np.testing.assert_allclose(made_up.dense(video)[..., :2], coco, atol=1e-3)


def test_a_pipe_is_read_once(tmp_path, coco, text):
    """Process substitution, `--input <(zcat results.json.gz)`, gives such a file."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(text,))
    writer.start()
    video = made_up.read(path)
    writer.join()
    assert video.format == "coco"
    np.testing.assert_allclose(made_up.dense(video)[..., :2], coco, atol=1e-3)


def test_an_archive_through_a_pipe(tmp_path, coco):
    np.savez(tmp_path / "k.npz", keypoints=coco, layout="coco_17", width=1000, height=800)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=((tmp_path / "k.npz").read_bytes(),))
    writer.start()
    video = made_up.read(path)
    writer.join()
    assert (video.format, video.width) == ("array", 1000)
    np.testing.assert_allclose(made_up.dense(video)[..., :2], coco, atol=1e-3)
