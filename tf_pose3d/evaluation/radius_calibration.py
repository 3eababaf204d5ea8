"""Radii that hold nine joints of ten, of people and of sources that no lifter was trained on.

Sources of motion place neck, head and spine differently, and a person's habits make all of a person's errors
alike: frames say little, people and sources do. Each source has one vote, shared by its people. Sources of
which nobody was held out are heard through people of the training, whose errors are enlarged by how much
larger those of held-out people are where a source has both. The share that is asked for is the one with
which a source that the fit did not see comes to nine of ten.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = [
    "CalibrationData",
    "calibrate_radii",
    "chance_of_every_joint",
    "coverage_of_unseen_people",
    "coverage_of_unseen_sources",
    "fit_radius",
    "votes",
]

Floats = npt.NDArray[np.floating]

_SHARE = 0.9
_POWERS = np.linspace(0.4, 1.6, 25)
_TRIED = np.arange(0.9, 0.951, 0.005)
_LEAST = 1e-4
_EVERY = 5


@dataclasses.dataclass(frozen=True)
class CalibrationData:
    """Joints of frames of many people.

    Attributes:
        scale: `(n, J)` metres: the mean error that the network foresees.
        error: `(n, J)` metres.
        seen: `(n, J)` whether the joint was seen.
        person: `(n,)` who.
        source: `(n,)` where the person's motion comes from.
        trained: `(n,)` whether the network was trained on the person.
    """

    scale: Floats
    error: Floats
    seen: npt.NDArray[np.bool_]
    person: npt.NDArray[np.str_]
    source: npt.NDArray[np.str_]
    trained: npt.NDArray[np.bool_]

    def select(self, chosen: npt.NDArray[np.bool_]) -> CalibrationData:
        """The frames of a mask."""
        fields = (getattr(self, field.name)[chosen] for field in dataclasses.fields(self))
        return CalibrationData(*fields)


def votes(person: npt.NDArray[np.str_], source: npt.NDArray[np.str_]) -> Floats:
    """`(n,)` weights of frames: one vote a source, shared by its people, shared by their frames."""
    weights = np.zeros(len(person))
    for place in np.unique(source):
        people = np.unique(person[source == place])
        for one in people:
            mine = (source == place) & (person == one)
            weights[mine] = 1 / (len(people) * mine.sum())
    return weights / weights.sum()


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(below, share * below[-1])), len(values) - 1)])


def fit_radius(scale: Floats, error: Floats, weights: Floats, share: float = _SHARE) -> tuple[float, float]:
    """Factor and power of one joint, so that `factor * scale ** power` holds a share of the errors.

    Of all powers that which holds the most equal shares where the radius is narrow, middling and wide.

    Args:
        scale: `(n,)` metres.
        error: `(n,)` metres.
        weights: `(n,)` votes.
        share: Of the errors.
    """
    log_scale, log_error = np.log(scale), np.log(np.maximum(error, _LEAST))
    third = np.digitize(log_scale, [_quantile(log_scale, weights, part) for part in (1 / 3, 2 / 3)])
    totals = np.maximum(np.bincount(third, weights, 3), 1e-12)
    best: tuple[float, float, float] = (np.inf, 1.0, 1.0)
    for power in _POWERS:
        rest = log_error - power * log_scale
        offset = _quantile(rest, weights, share)
        shares = np.bincount(third, weights * (rest <= offset), 3) / totals
        best = min(best, (float(np.ptp(shares)), float(np.exp(offset)), float(power)))
    return best[1], best[2]


def _fit_all(data: CalibrationData, share: float) -> Floats:
    """`(J, 2)`: factor and power of each joint; joint 0 is the root, which is where it is."""
    fitted = np.array([[0.0, 1.0]] * data.scale.shape[1])
    for joint in range(1, len(fitted)):
        mine = data.seen[:, joint]
        weights = votes(data.person[mine], data.source[mine])
        fitted[joint] = fit_radius(data.scale[mine, joint], data.error[mine, joint], weights, share)
    return fitted


def _held(data: CalibrationData, fitted: Floats) -> float:
    """Share of joints within their radii, all people alike."""
    radius = fitted[:, 0] * data.scale ** fitted[:, 1]
    counted = data.seen.copy()
    counted[:, 0] = False
    inside = (data.error <= radius) & counted
    people = [data.person == one for one in np.unique(data.person)]
    return float(np.mean([inside[mine].sum() / max(counted[mine].sum(), 1) for mine in people]))


def coverage_of_unseen_sources(data: CalibrationData, share: float) -> float:
    """Share of joints of a source within radii that were fitted on all others, the mean over sources."""
    shares = []
    for place in np.unique(data.source):
        out = data.source == place
        shares.append(_held(data.select(out), _fit_all(data.select(~out), share)))
    return float(np.mean(shares))


def coverage_of_unseen_people(data: CalibrationData, share: float) -> Floats:
    """`(people, J - 1)` shares of a person's joints within radii that were fitted on all others.

    NaN where a joint was never seen.
    """
    rows = []
    for one in np.unique(data.person):
        out = data.person == one
        fitted = _fit_all(data.select(~out), share)
        left = data.select(out)
        inside = (left.error <= fitted[:, 0] * left.scale ** fitted[:, 1]) & left.seen
        with np.errstate(invalid="ignore"):
            rows.append(inside[:, 1:].sum(axis=0) / left.seen[:, 1:].sum(axis=0))
    return np.array(rows)


def chance_of_every_joint(
    coverage: Floats, people: int = 7, least: float = 0.84, most: float = 0.96, draws: int = 4000
) -> float:
    """How often every joint's share lies between two bounds, for people drawn from those of `coverage`.

    Args:
        coverage: Of `coverage_of_unseen_people`.
        people: Drawn at a time.
        least, most: Bounds of the mean share of a joint.
        draws: How many, from a fixed seed.
    """
    rng = np.random.default_rng(0)
    count = min(people, len(coverage))
    means = np.stack(
        [np.nanmean(coverage[rng.choice(len(coverage), count, replace=False)], axis=0) for _ in range(draws)]
    )
    return float(((means >= least) & (means <= most)).all(axis=1).mean())


def _grown(data: CalibrationData) -> tuple[CalibrationData, float]:
    """Held-out people, and those of the training who stand for the other sources, their errors enlarged."""
    ratio = np.log(np.maximum(data.error[:, 1:], _LEAST) / data.scale[:, 1:])
    ratio[~data.seen[:, 1:]] = np.nan
    held_sources = np.unique(data.source[~data.trained])
    gaps = []
    for place in held_sources:
        both = [(data.source == place) & (data.trained == trained) for trained in (False, True)]
        if both[1].any():
            gaps.append(np.nanmean(ratio[both[0]]) - np.nanmean(ratio[both[1]]))
    gap = float(np.exp(np.mean(gaps))) if gaps else 1.0
    kept = data.select(~data.trained | ~np.isin(data.source, held_sources))
    error = np.where(kept.trained[:, None], kept.error * max(gap, 1.0), kept.error)
    return dataclasses.replace(kept, error=error), gap


def calibrate_radii(data: CalibrationData) -> tuple[Floats, dict[str, float]]:
    """Factor and power of each joint's radius.

    Args:
        data: Held-out people of several sources, and people of the training.

    Returns:
        `(J, 2)`; and what was found on the way: `gap`, by how much larger errors of held-out people are;
        `share` that the radii hold where they were fitted; `unseen`, what they hold of a source left out;
        `people_apart`, the standard deviation between people left out of a single joint's share, and
        `seven_people`, how often seven such people have every joint within 84 to 96 %.
    """
    kept, gap = _grown(data)
    share, unseen = _SHARE, float("nan")
    # Neighbouring frames say the same: a part of them serves to look for the share.
    thin = kept.select(np.arange(len(kept.person)) % _EVERY == 0)
    if len(np.unique(kept.source)) > 1:
        for tried in _TRIED:
            share, unseen = float(tried), coverage_of_unseen_sources(thin, float(tried))
            if unseen >= _SHARE:
                break
    coverage = coverage_of_unseen_people(thin, share)
    return _fit_all(kept, share), {
        "gap": gap,
        "share": share,
        "unseen": unseen,
        "people_apart": float(np.nanstd(coverage, axis=0).mean()),
        "seven_people": chance_of_every_joint(coverage),
    }
