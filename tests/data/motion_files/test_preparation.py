"""Motion capture from files into a motion file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tf_pose3d.cli.prepare_motion import main
from tf_pose3d.data.motion_clips import load_motion
from tf_pose3d.data.motion_files.preparation import MotionPreparation, prepare_motion
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

BODY = get_skeleton("h36m_17")


@pytest.fixture
def folder(tmp_path, asf_text, amc_text, bvh_text):
    """Two people of a data base: one in Acclaim's files, one in a BVH file."""
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "16.asf").write_text(asf_text)
    (tmp_path / "db" / "1.asf").write_text(asf_text.replace("7.16", "6.5"))
    frames = amc_text.partition("\n2\n")[0].partition("\n1\n")
    text = frames[0] + "".join(f"\n{number}\n{frames[2]}" for number in range(1, 131)) + "\n"
    (tmp_path / "db" / "16_01.amc").write_text(text)
    head, _, rows = bvh_text.partition("Frame Time: .0083333\n")
    row = rows.splitlines()[-1]
    (tmp_path / "db" / "13_11.bvh").write_text(
        head.replace("Frames: 9", "Frames: 100") + "Frame Time: 0.016666\n" + (row + "\n") * 100
    )
    return tmp_path


def test_a_folder_of_two_people(folder, capsys):
    out = folder / "motion.npz"
    assert main([str(folder / "db"), "--output", str(out), "--subjects", "prefix"]) == 0
    said = capsys.readouterr().out
    assert "AMC files do not say their frame rate: 120 per second are supposed" in said
    assert "the unit is supposed by the length of the thighs (40): cm" in said
    assert "2 clips of 2 people (13, 16)" in said
    clips = load_motion(out)
    assert clips.names.tolist() == ["13_11", "16_01"]
    assert clips.sources.tolist() == ["db", "db"]
    # 60 and 120 frames a second are 30 now.
    assert clips.lengths.tolist() == [50, 33]
    trunk = clips.positions[:, BODY.index("neck")] - clips.positions[:, 0]
    assert (trunk[:, 2] > 0.35).all()
    walker = clips.clip(0)
    # The left knee is bent by 90 degrees: the ankle is behind, which was -z and is y now.
    shin = walker[:, BODY.index("l_ankle")] - walker[:, BODY.index("l_knee")]
    np.testing.assert_allclose(shin, np.broadcast_to([0, 0.42, 0], shin.shape), atol=1e-5)
    other = clips.clip(1)
    thigh = np.linalg.norm(other[:, BODY.index("l_knee")] - other[:, BODY.index("l_hip")], axis=1)
    np.testing.assert_allclose(thigh, 7.16 * 0.0254 / 0.45, rtol=1e-5)


def test_motion_files_of_another_unit_and_axis(folder):
    prepare_motion([folder / "db" / "13_11.bvh"], folder / "one.npz", MotionPreparation())
    clips = load_motion(folder / "one.npz")
    turned = 1000 * clips.positions[..., [0, 2, 1]] * np.array([1, 1, -1], np.float32)
    np.savez(folder / "mm.npz", positions=turned)
    setting = MotionPreparation(unit="mm", up="y")
    again = prepare_motion([folder / "mm.npz"], folder / "again.npz", setting)
    np.testing.assert_allclose(again.positions, clips.positions, atol=1e-5)
    with pytest.raises(Pose3DError, match="are they millimetres"):
        prepare_motion([folder / "mm.npz"], folder / "again.npz", MotionPreparation())


def test_what_cannot_be_used_is_said(folder, capsys):
    (folder / "db" / "bad.bvh").write_text("HIERARCHY\nROOT a\n{\n")
    (folder / "db" / "short.bvh").write_text((folder / "db" / "13_11.bvh").read_text()[:3000])
    assert main([str(folder / "db"), "--output", str(folder / "m.npz")]) == 0
    said = capsys.readouterr().out
    assert "left out: " in said
    assert "bad.bvh: no MOTION after 1 joints" in said
    assert main([str(folder / "db"), "--output", str(folder / "m.npz"), "--shortest", "9"]) == 2
    assert "no clip of 9 s or more is left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["none.bvh"], "does not exist"),
        (["db/16.asf"], "expected a file that ends in .bvh, .amc, .npz"),
        (["db/bad.bvh"], "line 1: 'x', expected HIERARCHY"),
        (["empty"], "no file that ends in"),
        (["db/13_11.bvh", "--joints", "{"], "--joints is cut off"),
        (["db/13_11.bvh", "--joints", '{"l_hip": "Thigh"}'], "no joint 'Thigh' for l_hip"),
        (["db/13_11.bvh", "--unit", "m"], "moves at"),
        (["db/13_11.bvh", "--fps", "0"], "--fps is 0"),
        (["lone/x.amc"], "no skeleton in its folder"),
        (["db/13_11.bvh", "--skip", "99"], "1 of them left"),
        (["lying.bvh"], "trunks point along x, expected y or z"),
        (["small.bvh"], "say the unit (--unit)"),
    ],
)
def test_bad_input(folder, monkeypatch, capsys, arguments, told):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    (folder / "lone").mkdir()
    (folder / "lone" / "x.amc").write_text("1\n")
    (folder / "db" / "bad.bvh").write_text("x")
    text = (folder / "db" / "13_11.bvh").read_text()
    head, _, rows = text.partition("Frame Time: 0.016666\n")
    values = rows.splitlines()[0].split()
    lying = " ".join([*values[:3], "-90", *values[4:]])
    (folder / "lying.bvh").write_text(f"{head}Frame Time: 0.016666\n" + (lying + "\n") * 100)
    (folder / "small.bvh").write_text(text.replace("OFFSET 0 -40 0", "OFFSET 0 -1 0"))
    if "--unit" in arguments:
        rows = rows.splitlines()
        moved = [" ".join([str(frame), *row.split()[1:]]) for frame, row in enumerate(rows)]
        (folder / "db" / "13_11.bvh").write_text(f"{head}Frame Time: 0.016666\n" + "\n".join(moved))
    try:
        code = main([*arguments, "--output", "m.npz"])
    except SystemExit as end:
        code = end.code
    assert code != 0
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert not (folder / "m.npz").exists()


def test_names_from_a_file(folder):
    path = folder / "db" / "13_11.bvh"
    path.write_text(path.read_text().replace(" LeftUpLeg\n", " Thigh.L\n"))
    (folder / "names.json").write_text(json.dumps({"l_hip": "Thigh.L"}))
    arguments = [str(path), "--output", str(folder / "m.npz"), "--joints", str(folder / "names.json")]
    assert main(arguments) == 0
