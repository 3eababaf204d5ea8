"""Standard input and output as a program may find them: closed, full, a pipe that nobody reads any more."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO

from tf_pose3d.errors import Pose3DError

__all__ = ["finish_output", "prepare_streams"]


def prepare_streams() -> None:
    """Makes printing safe, whatever is printed and wherever it goes.

    A stream that the caller has closed becomes the null device: the next file that is opened would else take
    its number, and be written to by everything that prints. Characters that the terminal's encoding lacks,
    such as parts of file names in another encoding, are escaped.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if mode == "w" and isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def finish_output() -> None:
    """Writes out what has been printed.

    Raises:
        BrokenPipeError: Nobody reads it any more.
        Pose3DError: It cannot be written, for example because the disk is full.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
        raise
    except (OSError, ValueError) as error:
        _drop(sys.stdout)
        reason = error.strerror if isinstance(error, OSError) else error
        raise Pose3DError(f"cannot write standard output: {reason}") from None


def _drop(stream: TextIO) -> None:
    """Sends what a stream still holds nowhere, so that Python says nothing of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
