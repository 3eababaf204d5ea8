#!/usr/bin/env python
"""Calibrates how far a D3DP network's poses may be off, by how far its hypotheses lie apart.

    python tools/calibrate_hypotheses.py --weights logs/d3dp/checkpoints/best --subset S8 --check_subset
        test \\ --output models/d3dp_calibrated.h5

For each joint radius = factor * spread ** power is fitted, so that it holds the true joint nine times of
ten on
motion that the network was not trained on: keep a person out of the training (`--train_subset train`) for
`--subset`. What the radii hold there, and of people of `--check_subset` who took no part in the fit, is
printed. The weights are written with them (RADII), for the same PROPOSALS, SAMPLING_STEPS and AGGREGATION.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tf_pose3d.cli.program import run_program, start_tensorflow
from tf_pose3d.errors import Pose3DError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", required=True, metavar="FILE", help="trained weights, or their prefix")
    parser.add_argument("--output", required=True, metavar="FILE", help="weights to write")
    parser.add_argument("--subset", default="S8", metavar="NAME", help="people who were kept out of training")
    parser.add_argument("--check_subset", metavar="NAME", help="other people, to see what the radii hold")
    parser.add_argument("--dataset", metavar="FILE|NAME", help="data set (default: the config's)")
    parser.add_argument("--keypoints", metavar="NAME", help="2D poses by name")
    parser.add_argument("--frames", type=int, metavar="N", help="of the synthetic data set: of a recording")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="config keys")
    options = parser.parse_args(arguments)
    start_tensorflow("calibrate_hypotheses.py")
    from tf_pose3d.cli.flags import parse_overrides
    from tf_pose3d.evaluation.examples import examples
    from tf_pose3d.evaluation.hypothesis_radii import calibrate_hypotheses, observe_hypotheses, radii_hold
    from tf_pose3d.files import resolve_weights
    from tf_pose3d.models.loading import load_model, save_model

    model = load_model(resolve_weights(options.weights))
    if model.config.ARCH != "D3DP":
        raise Pose3DError(f"{options.weights}: weights of {model.config.ARCH}, expected D3DP's")
    config = model.config.replace(**{**parse_overrides(options.set), "RADII": None})
    if config.PROPOSALS < 2:
        raise Pose3DError("PROPOSALS is 1: one hypothesis has no spread; --set PROPOSALS=5")
    given = {"keypoints": options.keypoints, "frames": options.frames}
    given = {name: value for name, value in given.items() if value is not None}
    radii = None
    for role, subset in (("fitted on", options.subset), ("checked on", options.check_subset)):
        if subset is None:
            continue
        data = examples(model, options.dataset, subset, "test", options=given, log=print)
        spread, error, person = observe_hypotheses(model, config, data)
        if radii is None:
            radii = calibrate_hypotheses(spread, error, person)
        held, size = radii_hold(spread, error, radii)
        print(f"{role} {subset}: {len(spread)} frames, {held:.1f} % of the joints in radii of {size:.1f} mm")
    model.config = config.replace(RADII=radii)
    save_model(model, options.output)
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program("calibrate_hypotheses.py", main))
