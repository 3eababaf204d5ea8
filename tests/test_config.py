"""Config schemas: what they accept, what they refuse, and in which words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tf_pose3d import load_config
from tf_pose3d.config import TrainingConfig, key, nearest, read_config_file, shipped_configs
from tf_pose3d.errors import Pose3DError

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclasses.dataclass
class SmallConfig(TrainingConfig):
    ARCH_NAME = "Small"

    WIDTH: int = key(8, "Width.", minimum=1)
    RATES: list[float] = key([0.1, 0.2], "Rates.", minimum=0, maximum=1)
    PAIRS: list[list[int]] | None = key(None, "Pairs.")
    KIND: str = key("a", "Kind.", choices=("a", "b"))


def test_defaults_are_valid_and_not_shared():
    first, second = SmallConfig(), SmallConfig()
    first.validate()
    first.RATES.append(0.3)
    assert second.RATES == [0.1, 0.2]
    assert first.ARCH == "Small"


def test_what_is_saved_is_loaded(tmp_path):
    config = SmallConfig.from_dict({"WIDTH": 3, "PAIRS": [[0, 1]]})
    config.save(tmp_path / "c.json")
    assert SmallConfig.load(tmp_path / "c.json") == config
    assert list(json.loads((tmp_path / "c.json").read_text())) == sorted(config.to_dict())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"WIDHT": 3}, ["f.json", "unknown key WIDHT", "did you mean WIDTH?"]),
        ({"WIDTH": 2.5}, ["WIDTH is 2.5", "a whole number"]),
        ({"WIDTH": True}, ["WIDTH is true", "a whole number"]),
        ({"WIDTH": 0}, ["at least 1"]),
        ({"RATES": [0.5, 2]}, ["RATES is [0.5, 2]", "at most 1"]),
        ({"RATES": 0.5}, ["a list of [a number]"]),
        ({"PAIRS": [[1, "x"]]}, ["a list of [a list of [a whole number]] or null"]),
        ({"KIND": "c"}, ['KIND is "c"', "known: a, b"]),
        ({"OPTIMIZER": "AdamW"}, ["AdamW needs WEIGHT_DECAY"]),
        ({"EMA_ENABLED": True}, ["needs EMA_DECAY"]),
    ],
)
def test_bad_values_are_named(values, words):
    with pytest.raises(Pose3DError) as error:
        SmallConfig.from_dict(values, source="f.json")
    for word in words:
        assert word in str(error.value)


def test_whole_numbers_pass_as_numbers():
    assert SmallConfig.from_dict({"AUGM_FLIP_PROB": 1}).AUGM_FLIP_PROB == 1


def test_replace_checks_too():
    with pytest.raises(Pose3DError, match="unknown key"):
        SmallConfig().replace(WIDTHS=1)
    assert SmallConfig().replace(WIDTH=2).WIDTH == 2


def test_the_releases_text_form(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("# comment\n\nWIDTH 4\nPAIRS None\nKIND 'b'\nRATES [0.5]\nEMA_ENABLED False\n")
    expected = {"WIDTH": 4, "PAIRS": None, "KIND": "b", "RATES": [0.5], "EMA_ENABLED": False}
    assert read_config_file(path) == expected
    path.write_text("WIDTH 4\nKIND b\n")
    with pytest.raises(Pose3DError, match=r"line 2: KIND has no JSON value"):
        read_config_file(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.yaml", "", "ends in .json or .txt"),
        ("c.json", "[1]", "a JSON object"),
        ("c.json", '{\n"A": }', "line 2"),
        ("c.json", b"\xff\xfe\x00", "no UTF-16 text"),
    ],
)
def test_files_that_are_no_config(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Pose3DError, match=words):
        read_config_file(path)


def test_missing_file(tmp_path):
    with pytest.raises(Pose3DError, match="No such file"):
        read_config_file(tmp_path / "none.json")


def test_a_shipped_config_goes_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config_file("quickstart") == read_config_file(REPOSITORY / "config" / "quickstart.json")
    names = sorted(path.stem for path in (REPOSITORY / "config").iterdir())
    assert list(shipped_configs()) == names
    for name in names:
        assert load_config(name).ARCH


def test_a_name_that_does_not_ship_lists_those_that_do(tmp_path, monkeypatch):
    with pytest.raises(
        Pose3DError, match=r"qickstart: .*did you mean quickstart\?.*amass_351, .*videopose3d_81"
    ):
        read_config_file("qickstart")
    with pytest.raises(Pose3DError, match=r"^xyz: .*with the package; those that do: amass_351, "):
        load_config("xyz")
    with pytest.raises(Pose3DError, match=r"ends in \.json or \.txt"):
        read_config_file("config/quickstart")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        Pose3DError, match=r"No such file or directory; the one that comes with .* quickstart$"
    ):
        read_config_file("config/quickstart.json")


def test_nearest_names_one_or_all():
    assert nearest("tset", ["test", "train"]) == " (did you mean test?)"
    assert nearest("xyz", ["test", "train"]) == " (known: test, train)"


def test_every_key_is_described():
    rows = SmallConfig.describe()
    assert ("WIDTH", "8", "Width.") in rows
    assert all(text for _, _, text in rows)
