"""tools/calibrate_hypotheses.py, from weights to weights."""

import re

import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.loading import as_config, save_model
from tf_pose3d.weight_files.hdf5 import read_config
from tools.calibrate_hypotheses import main

SMALL = {"FRAMES": 5, "CHANNELS": 8, "LAYERS": 1, "NUM_HEADS": 2}


def test_radii_stay_with_the_weights(tmp_path, capsys):
    config = as_config("d3dp").replace(PROPOSALS=3, SAMPLING_STEPS=1, **SMALL)
    save_model(tf_pose3d.build_model(config), tmp_path / "plain.h5")
    flags = ["--dataset", "synthetic", "--frames", "10", "--subset", "S8", "--check_subset", "S9"]
    paths = ["--weights", str(tmp_path / "plain.h5"), "--output", str(tmp_path / "sure.h5")]
    assert main([*paths, *flags, "--set", "PROPOSALS=4"]) == 0
    said = capsys.readouterr().out
    shares = [float(share) for share in re.findall(r"([\d.]+) % of the joints in radii of", said)]
    assert len(shares) == 2
    # Of the very frames that the radii were fitted on nine of ten.
    assert shares[0] == pytest.approx(90, abs=0.5)
    held = read_config(tmp_path / "sure.h5")
    assert len(held["RADII"]) == 17
    assert held["PROPOSALS"] == 4
    with pytest.raises(Pose3DError, match="one hypothesis has no spread"):
        main([*paths, *flags, "--set", "PROPOSALS=1"])


def test_other_networks_are_refused(tmp_path):
    save_model(tf_pose3d.build_model(as_config("mixste").replace(**SMALL)), tmp_path / "mixste.h5")
    with pytest.raises(Pose3DError, match="weights of MixSTE, expected D3DP's"):
        main(["--weights", str(tmp_path / "mixste.h5"), "--output", "x.h5", "--dataset", "synthetic"])
