"""`log.txt`, and training curves as CSV and PNG."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Callable
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import install_command
from tf_pose3d.files import write_whole

__all__ = ["TrainingCurves"]

_COLUMNS = ("epoch", "lr", "loss_train", "error_eval_p1", "error_eval_p2")


class TrainingCurves:
    """Learning rate, loss and errors by epoch, written anew after every epoch.

    Files in `folder`: `log.txt` with tabs between columns, as SemGCN's release writes it, `curves.csv` with
    the same numbers, and `curves.png` where matplotlib is installed.

    Args:
        folder: An existing folder.
        log: Receives lines of text.
    """

    def __init__(self, folder: Path, log: Callable[[str], None] = print) -> None:
        self.folder = Path(folder)
        self.rows: list[tuple[float, ...]] = []
        self._draws = importlib.util.find_spec("matplotlib") is not None
        if not self._draws:
            log(f"no curves.png: drawing it needs matplotlib, {install_command('plots')}")

    def append(self, epoch: int, rate: float, loss: float, p1: float | None, p2: float | None) -> None:
        """Adds an epoch and writes the files.

        Args:
            epoch: Counted from 1.
            rate: Learning rate at its end.
            loss: Mean training loss.
            p1, p2: MPJPE and its Procrustes-aligned form in mm, averaged over validation frames; None
                where the epoch was not validated.

        Raises:
            Pose3DError: A file cannot be written.
        """
        nothing = float("nan")
        row = (epoch, rate, loss, nothing if p1 is None else p1, nothing if p2 is None else p2)
        self.rows.append(tuple(float(value) for value in row))
        lines = ["\t".join(_COLUMNS), *("\t".join(f"{value:.6f}" for value in row) for row in self.rows)]
        with write_whole(self.folder / "log.txt", "w") as file:
            file.write("\n".join(lines) + "\n")
        with write_whole(self.folder / "curves.csv", "w") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows((int(row[0]), *row[1:]) for row in self.rows)
        if self._draws:
            self._draw()

    def restore(self, epochs: int) -> None:
        """Takes up what an interrupted run wrote about its first `epochs` epochs.

        Raises:
            Pose3DError: The run's `curves.csv` is damaged.
        """
        path = self.folder / "curves.csv"
        if not path.is_file():
            return
        header: list[str] = []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                header, *rows = list(csv.reader(file)) or [[]]
            values = [tuple(float(value) for value in row) for row in rows]
        except (ValueError, csv.Error):
            values = [()]
        if tuple(header) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in values):
            raise Pose3DError(f"{path} is damaged, expected columns {', '.join(_COLUMNS)}; move it away")
        self.rows = [row for row in values if row[0] <= epochs]

    def _draw(self) -> None:
        from matplotlib.figure import Figure

        epochs = [row[0] for row in self.rows]
        figure = Figure(figsize=(9, 4), layout="constrained")
        loss, error = figure.subplots(1, 2)
        loss.plot(epochs, [row[2] for row in self.rows], marker=".")
        loss.set(xlabel="epoch", ylabel="training loss", yscale="log")
        for column, label in ((3, "MPJPE"), (4, "Procrustes-aligned MPJPE")):
            error.plot(epochs, [row[column] for row in self.rows], marker=".", label=label)
        error.set(xlabel="epoch", ylabel="validation error (mm)")
        error.legend()
        for axes in (loss, error):
            axes.grid(alpha=0.3)
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=100)
        with write_whole(self.folder / "curves.png") as file:
            file.write(content.getbuffer())
