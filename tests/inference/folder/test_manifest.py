"""The manifest: whole lines only, whatever happens to the machine."""

import json

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.folder import manifest
from tf_pose3d.inference.folder.manifest import (
    Manifest,
    has_manifest,
    manifest_name,
    read_manifests,
    read_settings,
)

WHOLE = {"file": "a", "status": "done", "settings": "s", "stem": "a", "version": "1"}


@pytest.fixture
def opened(tmp_path):
    held = Manifest(tmp_path / manifest_name())
    yield held
    held.close()


def test_the_latest_line_of_a_file_counts(tmp_path, opened):
    for status in ("failed", "done"):
        opened.add({**WHOLE, "status": status})
    opened.add({"settings": "s", "values": {"x": 1}})
    assert read_manifests(tmp_path)["a"]["status"] == "done"
    assert read_settings(tmp_path) == {"s": {"x": 1}}


def test_the_latest_line_of_all_shards_counts(tmp_path, monkeypatch):
    for part, stamp in (("2-of-2", "2026-01-01T00:00:02Z"), ("1-of-2", "2026-01-01T00:00:01Z")):
        monkeypatch.setattr(manifest.time, "strftime", lambda *_, stamp=stamp: stamp)
        held = Manifest(tmp_path / manifest_name(part))
        held.add({**WHOLE, "part": part})
        held.close()
    assert read_manifests(tmp_path)["a"]["part"] == "2-of-2"


def test_every_cut_leaves_the_lines_before(tmp_path, opened):
    opened.add(WHOLE)
    opened.add({**WHOLE, "file": "b \ud800 \n"})
    path = tmp_path / manifest_name()
    content = path.read_bytes()
    assert set(read_manifests(tmp_path)) == {"a", "b \ud800 \n"}
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    for length in range(last, len(content) - 1):
        path.write_bytes(content[:length])
        assert set(read_manifests(tmp_path)) == {"a"}
        again = Manifest(path)
        again.add({**WHOLE, "file": "c"})
        again.close()
        assert set(read_manifests(tmp_path)) == {"a", "c"}
        for line in path.read_bytes().splitlines():
            if not content[last:].startswith(line):
                json.loads(line)


@pytest.mark.parametrize("content", ["mine\n", "{}\n", '{"manifest": 1}\n', "[" * 100_000])
def test_a_file_of_something_else_is_left_alone(tmp_path, content):
    path = tmp_path / manifest_name()
    path.write_text(content)
    assert not has_manifest(tmp_path)
    with pytest.raises(Pose3DError, match="is no manifest of a folder run; move it away"):
        Manifest(path)
    assert path.read_text() == content
    assert read_manifests(tmp_path) == {}


def test_a_full_disk_is_said(tmp_path, opened, small_file_limit):
    opened.add(WHOLE)
    with (
        pytest.raises(Pose3DError, match=r"cannot write .*manifest\.jsonl: File too large"),
        small_file_limit(),
    ):
        opened.add({"file": "b" * 10_000})
    assert set(read_manifests(tmp_path)) == {"a"}
