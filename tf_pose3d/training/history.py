"""Metrics by epoch, and which epoch is best."""

from __future__ import annotations

import math

__all__ = ["MetricHistory"]


class MetricHistory:
    """Values of several metrics by epoch; for all of them lower is better.

    Attributes:
        values: Metric -> list of (epoch, value).
    """

    def __init__(self, values: dict[str, list] | None = None) -> None:
        self.values: dict[str, list[tuple[int, float]]] = {
            name: [(int(epoch), float(value)) for epoch, value in pairs]
            for name, pairs in (values or {}).items()
        }

    def add(self, epoch: int, metrics: dict[str, float]) -> None:
        """Notes the metrics of an epoch."""
        for name, value in metrics.items():
            self.values.setdefault(name, []).append((epoch, float(value)))

    def best(self, metric: str) -> tuple[int, float] | None:
        """(epoch, value) of the lowest value, the earliest of equals; None without finite values."""
        finite = [(value, epoch) for epoch, value in self.values.get(metric, []) if math.isfinite(value)]
        if not finite:
            return None
        value, epoch = min(finite)
        return epoch, value

    def at(self, epoch: int) -> dict[str, float]:
        """All metrics of an epoch."""
        return {name: dict(pairs)[epoch] for name, pairs in self.values.items() if epoch in dict(pairs)}
