"""Matrix products in which whole blocks of the matrix are known to be zero.

Compiled where that serves (see `tf_pose3d.ops.dispatch`), else computed with `keras.ops`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from keras import ops

from tf_pose3d.ops.block_matmul import compiled
from tf_pose3d.types import Tensor

__all__ = ["BlockPattern", "block_matmul", "norm_scale"]


# What a product of one group costs besides its arithmetic, in blocks: per gathered input block and at all.
_GATHER_COST, _GROUP_COST = 2.0, 4.0


@dataclasses.dataclass(frozen=True)
class _Group:
    """Adjacent output blocks that are computed together from the union of their input blocks.

    Attributes:
        first, last: Output blocks `first` to `last - 1`.
        runs: Input blocks as half-open ranges.
        holes: `(inputs, outputs)` bool, True for blocks of the union that are present; None: all are.
    """

    first: int
    last: int
    runs: tuple[tuple[int, int], ...]
    holes: np.ndarray | None


def _runs(blocks: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Sorted numbers as half-open ranges."""
    runs: list[tuple[int, int]] = []
    for block in blocks:
        if runs and runs[-1][1] == block:
            runs[-1] = (runs[-1][0], block + 1)
        else:
            runs.append((block, block + 1))
    return tuple(runs)


def _groups(present: np.ndarray) -> tuple[_Group, ...]:
    """Columns of a `(inputs, outputs)` pattern in groups: neighbours join where that is cheaper."""

    def cost(first: int, last: int) -> float:
        union = int(present[:, first:last].any(1).sum())
        return union * (last - first) + _GATHER_COST * union + _GROUP_COST

    bounds = [(column, column + 1) for column in range(present.shape[1])]
    while True:
        gains = [
            cost(*left) + cost(*right) - cost(left[0], right[1]) for left, right in itertools.pairwise(bounds)
        ]
        if not gains or max(gains) <= 0:
            break
        best = int(np.argmax(gains))
        bounds[best : best + 2] = [(bounds[best][0], bounds[best + 1][1])]
    groups = []
    for first, last in bounds:
        union = np.flatnonzero(present[:, first:last].any(1))
        part = present[union, first:last]
        groups.append(_Group(first, last, _runs(union.tolist()), None if part.all() else part))
    return tuple(groups)


class BlockPattern:
    """Which blocks of a matrix are present, and the groups in which its products are computed.

    Args:
        present: `(I, O)` bool: block row i, block column o is present. Every other block is zero.

    Attributes:
        present: As given.
        by_output: Groups of block columns, for the product with the matrix.
        by_input: Groups of block rows, for the product with its transpose and for its gradient.

    Raises:
        ValueError: A block row or column has no block at all.
    """

    def __init__(self, present: np.ndarray) -> None:
        self.present = np.asarray(present, bool)
        for axis, kind in ((0, "column"), (1, "row")):
            empty = np.flatnonzero(~self.present.any(axis))
            if len(empty):
                raise ValueError(f"block {kind} {empty[0]} has no block that is present")
        self.by_output = _groups(self.present)
        self.by_input = _groups(self.present.T)

    @property
    def density(self) -> float:
        """Share of blocks that are present."""
        return float(self.present.mean())


def _columns(x: Tensor, runs: tuple[tuple[int, int], ...], width: int) -> Tensor:
    """The block columns of some runs, side by side."""
    if len(runs) == 1 and runs[0][0] == 0 and runs[0][1] * width == x.shape[1]:
        return x
    parts = [x[:, begin * width : end * width] for begin, end in runs]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)


def _expanded(holes: np.ndarray, rows: int, columns: int, dtype: str) -> Tensor:
    return ops.cast(ops.convert_to_tensor(np.kron(holes, np.ones((rows, columns))).astype(np.float32)), dtype)


def _forward(x: Tensor, kernel: Tensor, pattern: BlockPattern, rows: int, columns: int) -> Tensor:
    results = []
    for group in pattern.by_output:
        parts = [
            kernel[begin * rows : end * rows, group.first * columns : group.last * columns]
            for begin, end in group.runs
        ]
        weights = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=0)
        if group.holes is not None:
            weights = weights * _expanded(group.holes, rows, columns, weights.dtype)
        results.append(ops.matmul(_columns(x, group.runs, rows), weights))
    return results[0] if len(results) == 1 else ops.concatenate(results, axis=1)


def _spread(values: Tensor, group: _Group, outputs: int, columns: int) -> Tensor:
    """Block columns of a group's runs at their places in a row slab, zeros elsewhere."""
    parts, taken, position = [], 0, 0
    height, dtype = values.shape[0], values.dtype
    for begin, end in (*group.runs, (outputs, outputs)):
        if begin > position:
            parts.append(ops.zeros((height, (begin - position) * columns), dtype))
        if end > begin:
            width = (end - begin) * columns
            parts.append(values if len(group.runs) == 1 else values[:, taken : taken + width])
            taken += width
        position = end
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)


def norm_scale(kernel: Tensor) -> Tensor:
    """1 over the Frobenius norm of a matrix, at most 1: what holds the norm at 1."""
    squares = ops.sum(ops.square(ops.cast(kernel, "float32")))
    return ops.rsqrt(ops.maximum(squares, 1.0))


def block_matmul(x: Tensor, kernel: Tensor, pattern: BlockPattern, max_norm: bool = False) -> Tensor:
    """`x @ kernel` with the kernel's absent blocks taken as zero, at no cost for them.

    Absent blocks enter the result through the norm alone; without `max_norm` they are not read and their
    gradient is zero.

    Args:
        x: `(B, I * rows)`.
        kernel: `(I * rows, O * columns)`.
        pattern: Which of the I x O blocks are present.
        max_norm: Scale a kernel of a Frobenius norm above 1, absent blocks included, down to 1 first.

    Returns:
        `(B, O * columns)`.
    """
    if compiled.OPERATION.serves(x, kernel):
        return compiled.block_matmul(x, kernel, pattern.present, max_norm)
    product = _product(x, kernel, pattern)
    # Scaling the few outputs costs less than scaling the many weights.
    return product * ops.cast(norm_scale(kernel), product.dtype) if max_norm else product


def _product(x: Tensor, kernel: Tensor, pattern: BlockPattern) -> Tensor:
    inputs, outputs = pattern.present.shape
    rows, columns = kernel.shape[0] // inputs, kernel.shape[1] // outputs

    @ops.custom_gradient
    def product(x: Tensor, kernel: Tensor) -> tuple:
        # Differentiating through the slices would add up one matrix of zeros per slice.
        def gradient(*upstream: Tensor, **_: object) -> tuple[Tensor, Tensor]:
            (dy,) = upstream
            dxs, slabs = [], []
            for group in pattern.by_input:
                part = _columns(dy, group.runs, columns)
                slab = kernel[group.first * rows : group.last * rows]
                weights = _columns(slab, group.runs, columns)
                dweights = ops.matmul(ops.transpose(x[:, group.first * rows : group.last * rows]), part)
                if group.holes is not None:
                    mask = _expanded(group.holes.T, rows, columns, weights.dtype)
                    weights, dweights = weights * mask, dweights * mask
                dxs.append(ops.matmul(part, ops.transpose(weights)))
                slabs.append(_spread(dweights, group, outputs, columns))
            if len(dxs) == 1:
                return dxs[0], slabs[0]
            return ops.concatenate(dxs, axis=1), ops.concatenate(slabs, axis=0)

        return _forward(x, kernel, pattern, rows, columns), gradient

    return product(x, kernel)
