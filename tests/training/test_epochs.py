"""Epochs of several kinds of examples."""

from tf_pose3d.training.epochs import EpochPart, EpochPlan
from tf_pose3d.training.schedules import EpochDecay


def test_epochs_grow_when_further_examples_come():
    plan = EpochPlan([EpochPart("2d", 2, first_epoch=3), EpochPart("3d", 5)])
    assert [plan.steps(epoch) for epoch in (1, 2, 3, 4)] == [5, 5, 7, 7]
    assert [plan.before(epoch) for epoch in (1, 2, 3, 4, 5)] == [0, 5, 10, 17, 24]
    assert [plan.epoch_of(step) for step in (0, 4, 5, 9, 10, 16, 17)] == [1, 1, 2, 2, 3, 3, 4]
    assert plan.longer == (2, 7)
    assert EpochPlan([EpochPart("3d", 5)]).longer is None


def test_what_is_left_of_an_epoch():
    plan = EpochPlan([EpochPart("2d", 2, first_epoch=3), EpochPart("3d", 5)])
    assert list(plan.segments(1, 3)) == [(1, 3, 2)]
    assert list(plan.segments(4, 0)) == [(0, 2, 2), (1, 15, 5)]
    assert list(plan.segments(4, 1)) == [(0, 3, 1), (1, 15, 5)]
    assert list(plan.segments(4, 4)) == [(1, 17, 3)]
    assert list(plan.segments(4, 7)) == []


def test_the_rate_follows_longer_epochs():
    schedule = EpochDecay(1.0, 0.5, steps_per_epoch=5, longer_after=2, longer_steps=7)
    rates = [float(schedule(step)) for step in (0, 4, 5, 9, 10, 16, 17, 23, 24)]
    assert rates == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]
