import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d import files
from tf_pose3d.errors import Pose3DError

READ_ONLY_MEANS_NOTHING = hasattr(os, "geteuid") and os.geteuid() == 0


def write(path, content=b"new"):
    with files.write_whole(path) as file:
        file.write(content)


def write_half(path, error):
    with files.write_whole(path) as file:
        file.write(b"half")
        raise error


class TestWriteWhole:
    def test_bytes_and_text(self, tmp_path):
        write(tmp_path / "a.bin", b"\x00\xff")
        assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff"
        with files.write_whole(tmp_path / "a.txt", "w") as file:
            file.write("Übung")
        assert (tmp_path / "a.txt").read_bytes() == "Übung".encode()
        assert sorted(os.listdir(tmp_path)) == ["a.bin", "a.txt"]

    def test_not_there_before_the_block_ends(self, tmp_path):
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")
        with files.write_whole(path) as file:
            file.write(b"new")
            file.flush()
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("old", [None, b"old"])
    def test_failure_leaves_what_was_there(self, tmp_path, error, old):
        path = tmp_path / "a.bin"
        if old:
            path.write_bytes(old)
        with pytest.raises(error):
            write_half(path, error)
        assert os.listdir(tmp_path) == (["a.bin"] if old else [])
        assert not old or path.read_bytes() == old

    def test_write_refused_by_the_system(self, tmp_path, small_file_limit):
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")
        with (
            pytest.raises(Pose3DError, match=r"cannot write .*a\.bin: File too large"),
            small_file_limit(),
        ):
            write(path, bytes(100_000))
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["a.bin"]

    def test_disk_full_when_flushed(self, tmp_path, monkeypatch):
        def full(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(Pose3DError, match=r"cannot write .*a\.bin: No space left on device"):
            write(tmp_path / "a.bin")
        assert os.listdir(tmp_path) == []

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
    def test_full_device(self):
        with pytest.raises(Pose3DError, match="cannot write /dev/full: No space left on device"):
            write("/dev/full")

    def test_device_is_written_to_and_not_replaced(self):
        write(os.devnull)
        assert not Path(os.devnull).is_file()

    def test_missing_folder(self, tmp_path):
        with pytest.raises(Pose3DError, match=r"cannot write .*there is no folder .*nowhere"):
            write(tmp_path / "nowhere" / "a.bin")

    def test_folder_below_a_file(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(Pose3DError, match="cannot write"):
            write(tmp_path / "file" / "a.bin")

    def test_folder_instead_of_file(self, tmp_path):
        with pytest.raises(Pose3DError, match="is a folder"):
            write(tmp_path)

    @pytest.mark.skipif(READ_ONLY_MEANS_NOTHING, reason="root may write anywhere")
    def test_read_only(self, tmp_path):
        path = tmp_path / "a.bin"
        path.write_bytes(b"old")
        path.chmod(0o444)
        with pytest.raises(Pose3DError, match="read-only"):
            write(path)
        tmp_path.chmod(0o555)
        try:
            with pytest.raises(Pose3DError, match="Permission denied"):
                write(tmp_path / "b.bin")
        finally:
            tmp_path.chmod(0o755)

    def test_an_error_about_another_file_keeps_its_own_name(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="absent"), files.write_whole(tmp_path / "a.bin"):
            Path("/absent/input").read_bytes()
        assert os.listdir(tmp_path) == []

    def test_link_is_followed_and_mode_kept(self, tmp_path):
        target = tmp_path / "target.bin"
        target.write_bytes(b"old")
        target.chmod(0o640)
        link = tmp_path / "link.bin"
        link.symlink_to(target)
        write(link)
        assert link.is_symlink()
        assert target.read_bytes() == b"new"
        assert stat.S_IMODE(target.stat().st_mode) == 0o640

    def test_new_file_has_the_usual_mode(self, tmp_path):
        (tmp_path / "usual").write_bytes(b"")
        write(tmp_path / "a.bin")
        assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "usual").stat().st_mode

    def test_long_name(self, tmp_path):
        name = "x" * 250 + ".h5"
        write(tmp_path / name)
        assert os.listdir(tmp_path) == [name]

    def test_unknown_mode(self, tmp_path):
        with pytest.raises(ValueError, match="ab"), files.write_whole(tmp_path / "a.bin", "ab"):
            pass

    def test_interrupt_from_outside(self, tmp_path):
        script = (
            "import signal, sys, time\nfrom tf_pose3d.files import write_whole\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "with write_whole(sys.argv[1]) as file:\n"
            "    file.write(b'half')\n    file.flush()\n    print('ready', flush=True)\n    time.sleep(60)\n"
        )
        repository = Path(__file__).resolve().parents[1]
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "a.bin")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=repository,
        )
        try:
            assert process.stdout.readline() == b"ready\n"
            assert len(os.listdir(tmp_path)) == 1
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) != 0
        finally:
            process.kill()
            process.stdout.close()
        assert os.listdir(tmp_path) == []


class TestStaged:
    def test_keeps_the_extension(self, tmp_path):
        with files.staged(tmp_path / "a.npz") as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".npz"
            np.savez(temporary, x=np.arange(3))
        assert np.load(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]
        assert os.listdir(tmp_path) == ["a.npz"]

    def test_writer_that_removed_its_file(self, tmp_path):
        with pytest.raises(Pose3DError, match="cannot write"), files.staged(tmp_path / "a.npz") as temporary:
            temporary.unlink()
        assert os.listdir(tmp_path) == []


class TestWriteJson:
    def test_content(self, tmp_path):
        path = tmp_path / "a.json"
        files.write_json(
            path,
            {
                "z": np.float32(0.5),
                "a": [1, float("nan"), np.inf, -np.inf, True, None],
                "array": np.array([[1.0, np.nan]]),
                "count": np.int64(3),
                "path": Path("x/y"),
                7: (1, 2),
            },
        )
        text = path.read_text()
        assert json.loads(text) == {
            "z": 0.5,
            "a": [1, None, None, None, True, None],
            "array": [[1.0, None]],
            "count": 3,
            "path": "x/y",
            "7": [1, 2],
        }
        assert text.startswith('{\n "z": 0.5,\n "a"')
        assert text.endswith("}\n")

    def test_what_json_cannot_hold_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text("old")
        with pytest.raises(TypeError):
            files.write_json(path, {"a": object()})
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["a.json"]


class TestRequireWritableFolder:
    def test_made_with_its_parents(self, tmp_path):
        folder = files.require_writable_folder(tmp_path / "a" / "b")
        assert folder == tmp_path / "a" / "b"
        assert os.listdir(folder) == []
        assert files.require_writable_folder(folder) == folder

    def test_a_file(self, tmp_path):
        (tmp_path / "a").write_bytes(b"")
        with pytest.raises(Pose3DError, match="is a file, expected a folder"):
            files.require_writable_folder(tmp_path / "a")
        with pytest.raises(Pose3DError, match="cannot write"):
            files.require_writable_folder(tmp_path / "a" / "b")

    def test_probe_refused(self, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(Pose3DError, match="No space left on device"):
            files.require_writable_folder(tmp_path)

    @pytest.mark.skipif(READ_ONLY_MEANS_NOTHING, reason="root may write anywhere")
    def test_read_only(self, tmp_path):
        tmp_path.chmod(0o555)
        try:
            with pytest.raises(Pose3DError, match="Permission denied"):
                files.require_writable_folder(tmp_path)
        finally:
            tmp_path.chmod(0o755)


class TestResolveWeights:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        for name in ("best_weights_0040.h5", "best_weights_0005.h5", "last_weights_0050.h5", "notes.txt"):
            (tmp_path / name).write_bytes(b"")
        (tmp_path / ".best_weights_0001.x.tmp.h5").write_bytes(b"")
        monkeypatch.chdir(tmp_path)

    def test_a_name_with_extension_is_itself(self, tmp_path):
        path = tmp_path / "last_weights_0050.h5"
        assert files.resolve_weights(path) == path
        assert files.resolve_weights("last_weights_0050.h5") == Path("last_weights_0050.h5")

    def test_prefix_finds_the_first(self, tmp_path):
        assert files.resolve_weights(tmp_path / "best_weights") == tmp_path / "best_weights_0005.h5"
        assert files.resolve_weights("last") == Path("last_weights_0050.h5")
        assert files.resolve_weights(f"{tmp_path}/") == tmp_path / "best_weights_0005.h5"

    def test_prefix_is_no_pattern(self, tmp_path):
        (tmp_path / "run[1]_a.h5").write_bytes(b"")
        assert files.resolve_weights(tmp_path / "run[1]").name == "run[1]_a.h5"
        with pytest.raises(Pose3DError, match="no weight file"):
            files.resolve_weights(tmp_path / "b*")

    def test_file_without_extension(self, tmp_path):
        (tmp_path / "plain").write_bytes(b"")
        assert files.resolve_weights(tmp_path / "plain") == tmp_path / "plain"

    @pytest.mark.parametrize("name", ["worst", "worst.h5"])
    def test_nothing_found_lists_what_is_there(self, tmp_path, name):
        with pytest.raises(Pose3DError) as caught:
            files.resolve_weights(tmp_path / name)
        message = str(caught.value)
        assert name in message
        assert "best_weights_0005.h5, best_weights_0040.h5, last_weights_0050.h5" in message
        assert "notes.txt" not in message
        assert ".tmp.h5" not in message
        assert "\n" not in message

    def test_folder_without_separator(self, tmp_path):
        with pytest.raises(Pose3DError, match=r"holds best_weights_0005\.h5"):
            files.resolve_weights(tmp_path)

    def test_many_files_are_not_all_listed(self, tmp_path):
        for number in range(30):
            (tmp_path / f"w_{number:02d}.h5").write_bytes(b"")
        with pytest.raises(Pose3DError, match="and 23 more"):
            files.resolve_weights(tmp_path / "x")

    def test_empty_and_missing_folder(self, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(Pose3DError, match=r"empty holds no \.h5 file"):
            files.resolve_weights(tmp_path / "empty" / "x")
        with pytest.raises(Pose3DError, match=r"there is no folder .*nowhere"):
            files.resolve_weights(tmp_path / "nowhere" / "x.h5")
