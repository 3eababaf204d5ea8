"""Flags are spelled whole."""

import pytest

from tf_pose3d.cli.flags import Parser
from tf_pose3d.errors import Pose3DError


@pytest.fixture
def parser():
    made = Parser(prog="x.py")
    made.add_argument("-drop", "--dropout", type=float)
    made.add_argument("-s", "--stride")
    made.add_argument("-ch", "--channels")
    made.add_argument("--weights")
    return made


@pytest.mark.parametrize(
    "flags",
    [["-d", "humaneva15"], ["-sun", "S6,S7"], ["-c", "DIR"], ["-s1"], ["--weight", "x.h5"], ["-dro", "1"]],
)
def test_no_flag_is_a_prefix_of_another(parser, flags):
    with pytest.raises(Pose3DError, match=f"^unrecognized arguments: {' '.join(flags)} "):
        parser.parse_args(flags)
    assert parser.parse_known_args(flags)[1] == flags


def test_whole_flags_and_numbers_below_zero(parser):
    parsed = parser.parse_args(["-drop", "0.5", "-s", "-1", "-ch=3", "--weights", "x.h5"])
    assert (parsed.dropout, parsed.stride, parsed.channels, parsed.weights) == (0.5, "-1", "3", "x.h5")
