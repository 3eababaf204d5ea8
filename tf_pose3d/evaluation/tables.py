"""Tables of errors as people read them: rows of actions or joints, columns of metrics or test runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from prettytable import PrettyTable

from tf_pose3d.errors import Pose3DError

__all__ = ["METRICS", "action_wise_table", "error_table", "frame_wise_table"]

METRICS = ("mpjpe", "nmpjpe", "pampjpe")


def error_table(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]] | np.ndarray,
    *,
    corner: str = "",
    title: str | None = None,
    decimals: int = 2,
    summary_rows: int = 0,
) -> PrettyTable:
    """A table with one named row per action or joint and one named column per metric or test run.

    Args:
        rows: R row names.
        columns: C column names, all different.
        values: `(R, C)` numbers; None prints as `-`.
        corner: Heading of the column of row names.
        title: A line above the table; say the unit here.
        decimals: Digits after the point.
        summary_rows: So many of the last rows (averages) are set apart by a line.

    Returns:
        The table; `str(table)` is its text.

    Raises:
        Pose3DError: `values` is not `(R, C)`.
    """
    if len(values) != len(rows) or any(len(row) != len(columns) for row in values):
        lengths = sorted({len(row) for row in values})
        raise Pose3DError(
            f"a table of {len(rows)} rows and {len(columns)} columns was given {len(values)} rows "
            f"of {' and '.join(map(str, lengths)) or 'no'} values"
        )
    table = PrettyTable([corner, *columns], title=title)
    table.align = "r"
    table.align[corner] = "l"
    for number, (name, row) in enumerate(zip(rows, values, strict=True), start=1):
        cells = ["-" if value is None else f"{value:.{decimals}f}" for value in row]
        table.add_row([name, *cells], divider=summary_rows > 0 and number == len(rows) - summary_rows)
    return table


def action_wise_table(
    result: Mapping[str, Any], title: str | None = "Action-wise errors in mm"
) -> PrettyTable:
    """Errors per action and their average, from what `evaluate_poses` returns."""
    per_action = {**result["per_action"], "Average": result["action_wise_average"]}
    return _metrics_table(per_action, "Action", title, summary_rows=1)


def frame_wise_table(result: Mapping[str, Any], title: str | None = "Frame-wise errors in mm") -> PrettyTable:
    """Errors averaged over all frames, from what `evaluate_poses` returns."""
    return _metrics_table({"All frames": result["frame_wise"]}, "", title)


def _metrics_table(
    rows: Mapping[str, Mapping[str, float]], corner: str, title: str | None, summary_rows: int = 0
) -> PrettyTable:
    values = [[errors[metric] for metric in METRICS] for errors in rows.values()]
    columns = [metric.upper() for metric in METRICS]
    return error_table(list(rows), columns, values, corner=corner, title=title, summary_rows=summary_rows)
