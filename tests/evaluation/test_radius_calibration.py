"""Radii that hold on people of other sources."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tf_pose3d.evaluation.radius_calibration import (
    CalibrationData,
    calibrate_radii,
    chance_of_every_joint,
    coverage_of_unseen_people,
    coverage_of_unseen_sources,
    fit_radius,
    votes,
)


def made(
    sources: int, spread: float, seed: int, trained: bool = False, grown: float = 1.0
) -> CalibrationData:
    """People of sources that place two joints of three differently by `spread` (natural logarithm)."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(sources):
        for person in range(2):
            scale = np.exp(rng.normal(-3, 0.5, (400, 3)))
            shift = np.exp(rng.normal(0, spread, (1, 3)))
            error = scale * shift * grown * rng.gamma(2, 0.5, (400, 3))
            names = np.full(400, f"{seed}s{number}p{person}"), np.full(400, f"s{number}")
            parts.append((scale, error, rng.random((400, 3)) < 0.9, *names, np.full(400, trained)))
    return CalibrationData(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def held(data: CalibrationData, fitted: np.ndarray) -> np.ndarray:
    radius = fitted[:, 0] * data.scale ** fitted[:, 1]
    return np.array([(data.error <= radius)[data.seen[:, joint], joint].mean() for joint in (1, 2)])


def test_a_source_has_one_vote():
    person = np.array(["a"] * 6 + ["b"] * 2 + ["c"] * 2)
    source = np.array(["x"] * 8 + ["y"] * 2)
    weights = votes(person, source)
    assert weights[:6].sum() == pytest.approx(0.25)
    assert weights[6:8].sum() == pytest.approx(0.25)
    assert weights[8:].sum() == pytest.approx(0.5)


def test_equal_shares_where_the_scale_is_small_and_large():
    rng = np.random.default_rng(0)
    scale = np.exp(rng.normal(-3, 0.5, 9000))
    error = 0.5 * scale**0.7 * rng.gamma(2, 0.5, 9000)
    factor, power = fit_radius(scale, error, np.full(9000, 1 / 9000))
    assert power == pytest.approx(0.7, abs=0.1)
    inside = error <= factor * scale**power
    assert inside.mean() == pytest.approx(0.9, abs=0.002)
    order = np.argsort(scale)
    assert np.ptp([inside[part].mean() for part in np.split(order, 3)]) < 0.02


def test_sources_that_differ_widen_the_radii_and_new_ones_are_held():
    data = made(8, 0.5, 1)
    fitted, found = calibrate_radii(data)
    assert found["share"] > 0.9
    assert found["unseen"] >= 0.9
    assert coverage_of_unseen_sources(data, 0.9) < found["unseen"]
    fresh = np.mean([held(made(8, 0.5, seed), fitted).mean() for seed in range(2, 12)])
    assert 0.88 < fresh < 0.96
    assert fitted[0].tolist() == [0, 1]


def test_people_of_the_training_stand_for_sources_without_others():
    outside = made(3, 0.0, 1)
    inside = made(6, 0.0, 2, trained=True, grown=0.7)
    both = CalibrationData(
        *(
            np.concatenate([getattr(part, field.name) for part in (outside, inside)])
            for field in dataclasses.fields(CalibrationData)
        )
    )
    fitted, found = calibrate_radii(both)
    assert found["gap"] == pytest.approx(1 / 0.7, rel=0.05)
    assert held(outside, fitted) == pytest.approx([0.9, 0.9], abs=0.02)


def test_people_who_are_alike_keep_every_joint_within_bounds_and_others_do_not():
    chances = []
    for spread in (0.0, 1.5):
        data = made(12, spread, 4)
        data = data.select(np.char.endswith(data.person, "p0"))
        coverage = coverage_of_unseen_people(data, 0.9)
        assert coverage.shape == (12, 2)
        assert coverage.mean() == pytest.approx(0.9, abs=0.05)
        chances.append(chance_of_every_joint(coverage, people=4))
    assert chances[0] > 0.95
    assert chances[1] < 0.7
    assert calibrate_radii(made(6, 0.5, 4))[1]["people_apart"] > 0.02
