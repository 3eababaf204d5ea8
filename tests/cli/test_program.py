"""What a program says that is given nothing."""

import pytest

from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference, train


@pytest.mark.parametrize(
    ("program", "parts"),
    [
        (train, ("nothing to do: give a --config and an --out_dir", "train.py --config quickstart")),
        (eval_program, ("nothing to do: give --weights", "eval.py --weights models/x.h5 --dataset")),
        (inference, ("nothing to do: give --input", "inference.py --input keypoints.json", "--demo")),
    ],
)
def test_without_arguments_an_example(program, parts, capsys):
    assert program.main([]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for part in parts:
        assert part in error
