"""Where compiled libraries lie, which of them are trusted, and what killed builds leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import build, cache

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The package's folder and the user's, neither of which is there yet."""
    folders = (tmp_path / "package", tmp_path / "user")
    monkeypatch.setattr(cache, "directories", lambda: folders)
    return folders


@pytest.fixture
def library(folders):
    """A library in the package's folder, as a build leaves it."""
    folders[0].mkdir(mode=0o755)
    path = folders[0] / cache.library_name(cuda=False)
    path.touch(mode=0o755)
    return path


def test_library_is_found_in_either_folder(folders):
    assert cache.find(cuda=False) is None
    for folder in reversed(folders):
        folder.mkdir()
        library = folder / cache.library_name(cuda=False)
        library.touch()
        assert cache.find(cuda=False) == library
    assert cache.find(cuda=True) is None


def test_library_name_changes_with_sources_and_tensorflow(tmp_path, monkeypatch):
    import tensorflow as tf

    name = cache.library_name(cuda=False)
    assert f"tf{tf.__version__}" in name
    copy = shutil.copytree(cache.OPS, tmp_path / "ops", ignore=shutil.ignore_patterns("compiled", "*.pyc"))
    monkeypatch.setattr(cache, "OPS", copy)
    monkeypatch.setattr(cache, "INCLUDE", copy / "include")
    names = [name]
    assert cache.library_name(cuda=False) == name
    for changed in ("include/simd.h", "block_matmul/src/block_matmul_cpu.cc", "build.py"):
        with (copy / changed).open("a") as file:
            file.write("\n")
        names.append(cache.library_name(cuda=False))
    assert len(set(names)) == 4
    with (copy / "deform_psroi_pooling/src/psroi_bin.h").open("a") as file:
        file.write("\n")
    assert cache.library_name(cuda=False) == names[-1]


def test_read_only_package_falls_back_to_the_users_cache(tmp_path, monkeypatch):
    # A file where the folder should be stands for a read-only package: root may write anywhere.
    (tmp_path / "package").touch()
    monkeypatch.setattr(cache, "directories", lambda: (tmp_path / "package" / "compiled", tmp_path / "user"))
    assert cache.writable_directory() == tmp_path / "user"
    (tmp_path / "other").touch()
    monkeypatch.setattr(cache, "directories", lambda: (tmp_path / "package" / "a", tmp_path / "other" / "b"))
    with pytest.raises(Pose3DError, match="XDG_CACHE_HOME"):
        cache.writable_directory()


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o757])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_others_can_write_is_not_loaded(library, what, mode, caplog):
    assert cache.find(cuda=False) == library
    changed = library if what == "file" else library.parent
    changed.chmod(mode)
    assert cache.find(cuda=False) is None
    assert caplog.messages == [
        f"tf_pose3d.ops: not loaded: {changed} can be written by others (mode {mode:o}): chmod go-w {changed}"
    ]
    changed.chmod(0o755)
    assert cache.find(cuda=False) == library


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_somebody_else_owns_is_not_loaded(library, what, caplog):
    changed = library if what == "file" else library.parent
    os.chown(changed, 12345, -1)
    assert cache.find(cuda=False) is None
    assert "belongs to another user (number 12345)" in caplog.text


def test_what_somebody_else_owns_is_told_from_what_root_owns(library, monkeypatch):
    owner = library.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    # Root can write anything anyway; every other owner is somebody else.
    assert (cache.find(cuda=False) is None) == (owner != 0)


def test_a_link_to_a_file_is_not_loaded(library, tmp_path, caplog):
    library.rename(tmp_path / "elsewhere.so")
    library.symlink_to(tmp_path / "elsewhere.so")
    assert cache.find(cuda=False) is None
    assert "is no plain file" in caplog.text


def test_a_folder_may_be_a_link(library, folders):
    folders[0].rename(folders[1])
    folders[0].symlink_to(folders[1])
    assert cache.find(cuda=False) == library


def test_the_next_folder_is_taken_where_the_first_is_not_trusted(library, folders, caplog):
    library.parent.chmod(0o777)
    assert cache.writable_directory() == folders[1]
    second = folders[1] / library.name
    second.touch(mode=0o755)
    assert cache.find(cuda=False) == second
    folders[1].chmod(0o770)
    with pytest.raises(Pose3DError, match="can be written by others") as error:
        cache.writable_directory()
    assert "\n" not in str(error.value)


def test_a_library_that_is_not_trusted_is_built_again(library, monkeypatch):
    library.write_text("planted")
    library.chmod(0o777)

    def compile_quickly(scratch, cuda, library):
        (scratch / "library.so").write_text("built")
        return scratch / "library.so"

    monkeypatch.setattr(build, "_compile", compile_quickly)
    assert build.build(cuda=False) == library
    assert library.read_text() == "built"
    assert cache.find(cuda=False) == library


def test_what_is_built_is_for_its_owner_alone_to_write(folders, monkeypatch):
    def compile_quickly(scratch, cuda, library):
        (scratch / "library.so").touch(mode=0o777)
        return scratch / "library.so"

    monkeypatch.setattr(build, "_compile", compile_quickly)
    before = os.umask(0)
    try:
        path = build.build(cuda=False)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o755
    assert path.parent.stat().st_mode & 0o777 == 0o755
    assert cache.find(cuda=False) == path


def test_what_a_killed_build_leaves_is_removed_by_the_next(folders, monkeypatch, tmp_path):
    code = """
import sys, time
from pathlib import Path
from tf_pose3d.ops import build, cache
cache.directories = lambda: (Path(sys.argv[1]), Path(sys.argv[2]))
def endless(scratch, cuda, library):
    (scratch / "half.o").touch()
    (Path(sys.argv[1]) / "started").touch()
    time.sleep(600)
build._compile = endless
build.build(cuda=False)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, folders)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    started = folders[0] / "started"
    for _ in range(600):
        if started.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert started.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    started.unlink()
    (left,) = folders[0].iterdir()
    assert (left / "half.o").exists()

    def compile_quickly(scratch, cuda, library):
        assert not left.exists()
        (scratch / "library.so").touch()
        return scratch / "library.so"

    monkeypatch.setattr(build, "_compile", compile_quickly)
    path = build.build(cuda=False)
    assert list(folders[0].iterdir()) == [path]
