"""`tf-pose3d-prepare NAME`: the programs that make data files, under one name."""

from __future__ import annotations

import pytest

from tf_pose3d.cli.prepare import PREPARATIONS, main


@pytest.mark.parametrize("name", PREPARATIONS)
def test_the_name_is_followed_by_its_program_s_flags(name, capsys):
    assert main([name, "--nonsense"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "(see --help)" in error
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert "show this help message" in capsys.readouterr().out


def test_other_names_and_help(capsys):
    assert main([]) == 2
    assert main(["coco"]) == 2
    assert "invalid choice: 'coco' (choose from" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in PREPARATIONS)
