"""Programs of VideoPose3D's release that make files of data sets, which the releases after it took over."""

from __future__ import annotations

from tf_pose3d.cli.scripts.script import Given, Plan, Script, passed, refused

__all__ = ["PREPARATIONS", "SCRIPTS"]

# The program here, by the name that `tf-pose3d-prepare` has for it, -> its file.
PREPARATIONS = {"h36m": "tools/prepare_data_h36m.py", "humaneva": "tools/prepare_data_humaneva.py"}
_SOURCE = "facebookresearch/VideoPose3D"
_IN_DATA = "run it where data/ lies, not inside data/: it writes into data/"


def _human36m(given: Given) -> Plan:
    return Plan("h36m", notes=[_IN_DATA])


def _humaneva(given: Given) -> Plan:
    return Plan("humaneva", notes=[_IN_DATA])


SCRIPTS: tuple[Script, ...] = (
    Script(
        "videopose3d",
        "data/prepare_data_h36m.py",
        (),
        (
            passed("--from_archive", "--from_archive", "h36m.zip of Martinez et al.", programs=("h36m",)),
            passed("--from_source", "--from_source", "folder of .cdf.mat files", programs=("h36m",)),
            refused(
                "--from_source_cdf",
                "CDF files are read by CDF's own library; convert them to .cdf.mat by the release's "
                "convert_cdf_to_mat.m, for --from-source",
            ),
        ),
        _human36m,
        _SOURCE,
        (),
    ),
    Script(
        "videopose3d",
        "data/prepare_data_humaneva.py",
        (),
        (
            passed("-p --path", "--path", "folder that ConvertHumanEva.m wrote", programs=("humaneva",)),
            passed(
                "--convert_3d", "--convert_3d", "3D poses and exact 2D", programs=("humaneva",), values="none"
            ),
            passed("--convert_2d", "--convert_2d", "folder of a detector's poses", programs=("humaneva",)),
            passed("-o --output", "--output", "name of the 2D poses", programs=("humaneva",)),
        ),
        _humaneva,
        _SOURCE,
        (),
    ),
)
