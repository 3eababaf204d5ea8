"""MATLAB files as SciPy, another implementation, writes them."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tf_pose3d.data.matlab import load_matlab, matlab_numbers
from tf_pose3d.errors import Pose3DError

VARIABLES = {
    "doubles": np.random.default_rng(0).normal(size=(3, 4, 2)),
    "single": np.float32([[1.5, np.nan]]),
    "bytes": np.arange(6, dtype="u1").reshape(2, 3),
    "whole": np.int16([[-3, 700]]),
    "long": np.int64([[2**60]]),
    "flags": np.array([[True, False]]),
    "number": 7.0,
    "nothing": np.zeros((0, 3)),
    "text": "words",
    "a_struct": {"field": 1},
    "a_number_with_a_name_longer_than": 1,
}


@pytest.fixture(params=[True, False])
def written(tmp_path, request):
    cells = np.empty((2, 2), object)
    for place in np.ndindex(2, 2):
        cells[place] = np.full((place[0] + 1, 2), float(place[1]))
    path = tmp_path / "x.mat"
    savemat(path, {**VARIABLES, "cells": cells}, do_compression=request.param)
    return path


def test_as_scipy_reads_it(written):
    held, expected = load_matlab(written), loadmat(written)
    assert list(held) == [name for name in expected if not name.startswith("__")]
    for name, value in held.items():
        if name in ("text", "a_struct"):
            continue
        assert value.shape == expected[name].shape, name
        for one, other in zip(value.ravel(), expected[name].ravel(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_big_endian(tmp_path):
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + b"\0" * (-len(content) % 8)

    parts = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 2)) + element(1, b"x")
    # Up to four bytes stand in the tag itself; numbers are stored in the smallest type that holds them.
    variable = element(14, parts + struct.pack(">HHhh", 4, 3, -5, 7))
    path = tmp_path / "x.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + b"\1\0MI" + variable)
    assert load_matlab(path)["x"].tolist() == [[-5, 7]]


@pytest.mark.parametrize("name", ["text", "a_struct"])
def test_other_kinds_are_named(written, name):
    with pytest.raises(Pose3DError, match=rf"x\.mat: {name} holds (text|a struct), expected real numbers"):
        matlab_numbers(load_matlab(written), name, str(written))
    with pytest.raises(Pose3DError, match=r"has no gone; it holds doubles, single"):
        matlab_numbers(load_matlab(written), "gone", str(written))


def test_every_cut_is_refused_or_ends_between_variables(written):
    content, whole = written.read_bytes(), load_matlab(written)
    for size in range(0, len(content), 13):
        written.write_bytes(content[:size])
        held, said = None, ""
        try:
            held = load_matlab(written)
        except Pose3DError as error:
            said = str(error)
        if held is None:
            assert said.startswith(f"{written} is no MATLAB file or is damaged")
        else:
            assert list(held) == list(whole)[: len(held)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has no header"),
        (b"MATLAB 7.3 MAT-file" + b" " * 600, "save it with -v7"),
        (b"M" * 126 + b"IM" + struct.pack("<II", 14, 2**31), "announces 2147483648 bytes"),
        (b"M" * 126 + b"IM" + struct.pack("<II", 9, 8) + b"\0" * 8, "an element of type 9"),
    ],
)
def test_what_is_none(tmp_path, content, message):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(Pose3DError, match=message):
        load_matlab(tmp_path / "x.mat")


def test_a_variable_that_unpacks_to_more_than_it_warrants(tmp_path):
    packed = zlib.compress(struct.pack("<II", 14, 2**28) + b"\0" * 2**28, 9)
    (tmp_path / "x.mat").write_bytes(b"M" * 126 + b"IM" + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(Pose3DError, match="unpacks to more than"):
        load_matlab(tmp_path / "x.mat")


def test_an_empty_variable_of_impossible_lengths(tmp_path):
    shape = (0, *(2**31 - 1,) * 3)
    inside = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<II4i", 5, 16, *shape)
    inside += struct.pack("<II", 1, 1) + b"x" + b"\0" * 7 + struct.pack("<II", 9, 0)
    content = b"M" * 126 + b"IM" + struct.pack("<II", 14, len(inside)) + inside
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(Pose3DError, match="a variable of shape"):
        load_matlab(tmp_path / "x.mat")
