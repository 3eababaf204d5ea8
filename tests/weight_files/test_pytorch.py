"""PyTorch checkpoints are read without PyTorch, and nothing in them is run."""

import os
import pickle
import zipfile

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint

CASES = ["hoif/joints16", "hoif/joints17", "hgcn/joints16", "semgcn/nonlocal16", "martinez/joints16"]


def test_both_forms_are_among_the_releases_files(golden):
    zipped = {zipfile.is_zipfile(golden / case / "ckpt_best.pth.tar") for case in CASES}
    assert zipped == {True, False}


@pytest.mark.parametrize("case", CASES)
def test_tensors_are_those_that_pytorch_reads(golden, case):
    torch = pytest.importorskip("torch")
    path = golden / case / "ckpt_best.pth.tar"
    expected = torch.load(path, map_location="cpu", weights_only=False)
    found = read_pytorch_checkpoint(path)
    assert set(found.tensors) == {name.removeprefix("module.") for name in expected["state_dict"]}
    for name, tensor in expected["state_dict"].items():
        np.testing.assert_array_equal(found.tensors[name.removeprefix("module.")], tensor.numpy())
    assert found.entries["epoch"] == expected["epoch"]


@pytest.mark.parametrize("zipped", [True, False])
def test_prefixes_views_and_optimizer_state(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    weight = torch.arange(12.0).reshape(3, 4)
    optimizer = torch.optim.Adam([torch.nn.Parameter(weight.clone())])
    optimizer.step()
    content = {
        "epoch": 7,
        "state_dict": {
            "module.transposed": weight.T,
            "module.half": weight[1].half(),
            "module.steps": torch.tensor(5),
        },
        "optimizer": optimizer.state_dict(),
        "model_traj": {"module.path": torch.zeros(2)},
        "other": {"weight": torch.zeros(3)},
    }
    torch.save(content, tmp_path / "x.pth.tar", _use_new_zipfile_serialization=zipped)
    found = read_pytorch_checkpoint(tmp_path / "x.pth.tar")
    settings = {name for name in found.entries if name.startswith("optimizer.")}
    assert found.entries.keys() - settings == {"epoch"}
    assert found.entries["epoch"] == 7
    assert (found.entries["optimizer.lr"], found.entries["optimizer.amsgrad"]) == (1e-3, False)
    assert found.left_out == ("other",)
    assert list(found.tensors) == ["transposed", "half", "steps", "model_traj.path"]
    np.testing.assert_array_equal(found.tensors["transposed"], weight.numpy().T)
    np.testing.assert_array_equal(found.tensors["half"], [4, 5, 6, 7])
    assert found.tensors["steps"] == 5


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch ran",))


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_code_is_not_run(tmp_path, monkeypatch, zipped):
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": {"x": Bomb()}}
    if zipped:
        with zipfile.ZipFile("x.pth", "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(content))
    else:
        parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, content, [])
        (tmp_path / "x.pth").write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    with pytest.raises(Pose3DError, match=r"x.pth .*system"):
        read_pytorch_checkpoint("x.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("case", ["hoif/joints16", "hoif/joints17"])
def test_truncated_files(golden, tmp_path, case):
    content = (golden / case / "ckpt_best.pth.tar").read_bytes()
    path = tmp_path / "cut.pth.tar"
    for size in (20, len(content) // 2, len(content) - 1000):
        path.write_bytes(content[:size])
        with pytest.raises(Pose3DError, match=r"cut.pth.tar .*(truncated|damaged|is a zip file)"):
            read_pytorch_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, expected a PyTorch checkpoint"),
        (b"hello, world", "is of another kind"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
        (pickle.dumps({"state_dict": 1}), "is a pickle, but not one that torch.save wrote"),
    ],
)
def test_other_files(tmp_path, content, message):
    path = tmp_path / "x.pth.tar"
    path.write_bytes(content)
    with pytest.raises(Pose3DError, match=message):
        read_pytorch_checkpoint(path)


def test_missing_file(tmp_path):
    with pytest.raises(Pose3DError, match=r"x.pth does not exist, expected a PyTorch checkpoint"):
        read_pytorch_checkpoint(tmp_path / "x.pth")
