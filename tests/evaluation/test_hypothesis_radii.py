"""Radii by how far hypotheses lie apart hold nine joints of ten of other people."""

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.hypothesis_radii import calibrate_hypotheses, hypothesis_radius, radii_hold
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.models.loading import as_config


def people(seed, count=4, frames=800):
    """(spread, error, person): errors grow with the square root of the spread, joints differ, people
    hardly."""
    random = np.random.default_rng(seed)
    spread = np.exp(random.normal(-4, 0.7, (count * frames, 17)))
    habit = np.repeat(np.exp(random.normal(0, 0.03, count)), frames)[:, None]
    error = np.sqrt(spread) * np.linspace(0.1, 0.4, 17) * habit * np.abs(random.normal(1, 0.5, spread.shape))
    return spread, error, np.repeat([f"S{number}" for number in range(count)], frames)


def test_they_hold_nine_of_ten_of_people_who_were_not_seen():
    radii = calibrate_hypotheses(*people(0))
    assert radii[0] == [0.0, 1.0]
    spread, error, _ = people(1)
    held, size = radii_hold(spread, error, radii)
    assert 88 < held < 92
    assert size > 0
    # Where hypotheses lie near together and where they do not alike.
    near = spread[:, 5] < np.median(spread[:, 5])
    for rows in (near, ~near):
        assert 0.86 < (error[rows, 5] <= hypothesis_radius(spread, radii)[rows, 5]).mean() < 0.94


def test_an_evaluation_and_a_lifted_person_say_them(tmp_path):
    small = {"FRAMES": 5, "CHANNELS": 8, "LAYERS": 1, "NUM_HEADS": 2, "CLIP_STRIDE": 5}
    config = as_config("d3dp").replace(
        PROPOSALS=3, SAMPLING_STEPS=2, RADII=[[0.5, 0.5]] * 17, AGGREGATION="joint", **small
    )
    model = tf_pose3d.build_model(config)
    results = tf_pose3d.evaluate(model, "synthetic", "S9", options={"frames": 12})["all"]["hypotheses"]
    assert 0 <= results["cover"] <= 100
    assert results["radius"] > 0
    assert set(results["action_wise_average"]) == {"p_agg", "j_agg", "p_best", "j_best"}
    points = np.random.default_rng(0).uniform(300, 700, (12, 17, 2))
    points[6:] = np.nan
    person = Lifter(model, max_gap=0).lift(points, 1000, 1000, 50, layout="h36m_17")
    assert person.uncertainty.shape == (12, 17)
    np.testing.assert_array_equal(np.isnan(person.uncertainty[:, 3]), ~person.present)
    assert (person.uncertainty[:6, 1:] > 0).all()
    # The network's own poses, clip by clip.
    plain = Lifter(model, config.replace(RADII=None), max_gap=0).lift(points, 1000, 1000, 50, "h36m_17")
    assert plain.uncertainty is None
    np.testing.assert_allclose(plain.pose_3d, person.pose_3d, atol=1e-6)
    person.save(tmp_path / "pose.npz")
    with np.load(tmp_path / "pose.npz") as file:
        np.testing.assert_array_equal(file["uncertainty_mm"], person.uncertainty)


def test_radii_that_do_not_fit_are_refused():
    with pytest.raises(Pose3DError, match="RADII has 2 entries, expected 17 of factor and power"):
        as_config("d3dp").replace(RADII=[[1.0, 1.0]] * 2)
    with pytest.raises(Pose3DError, match="PROPOSALS is 1"):
        as_config("d3dp").replace(RADII=[[1.0, 1.0]] * 17, PROPOSALS=1)


def test_a_lifter_samples_as_its_config_says():
    small = {"FRAMES": 5, "CHANNELS": 8, "LAYERS": 1, "NUM_HEADS": 2}
    model = tf_pose3d.build_model(as_config("d3dp").replace(PROPOSALS=2, SAMPLING_STEPS=1, **small))
    Lifter(model, model.config.replace(PROPOSALS=4, AGGREGATION="joint"))
    assert (model.proposals, model.aggregation) == (4, "joint")
    assert model(np.zeros((1, 5, 17, 2), np.float32))["pose_3d_hypotheses"].shape[1] == 4
