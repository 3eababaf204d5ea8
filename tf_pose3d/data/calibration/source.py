"""A calibration file before its format is known: its kind by content, and what it holds, read safely."""

from __future__ import annotations

import functools
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tf_pose3d.data.archive import load_archive
from tf_pose3d.data.calibration.opencv_yaml import parse_opencv_yaml
from tf_pose3d.data.calibration.xml_text import parse_xml
from tf_pose3d.errors import Pose3DError
from tf_pose3d.json_text import decode_text, parse_json
from tf_pose3d.types import Parsed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CalibrationSource", "named"]

# A calibration is a few kilobytes; older Caliscope files hold their boards' points, too.
_MOST_BYTES = 64 << 20
# `[cam_0]`, `[cameras.0]`: the first line of a TOML table, where a JSON list has more on it or less.
_TABLE = re.compile(r"\[\[?[^\[\]{},]+\]\]?[ \t]*(#.*)?(\r?\n|$)")


class CalibrationSource:
    """One file.

    Args:
        path: The file.

    Attributes:
        path: As given.
        kind: `"toml"`, `"yaml"`, `"xml"`, `"json"` or `"pickle"`, by content.

    Raises:
        Pose3DError: It does not exist, is empty, is far too long, or is none of these.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if "\0" in str(path):
            raise Pose3DError(f"{str(path)!r} is no file name: it has a null byte")
        try:
            with self.path.open("rb") as file:
                self._content = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            raise Pose3DError(f"{path} does not exist, expected a calibration file") from None
        except OSError as error:
            raise Pose3DError(f"{path} cannot be read: {error.strerror or error}") from None
        if len(self._content) > _MOST_BYTES:
            raise Pose3DError(
                f"{path} has more than {_MOST_BYTES >> 20} MB, which no calibration of cameras has"
            )
        if not self._content.strip():
            raise Pose3DError(f"{path} is empty, expected a calibration of cameras")
        if self._content[:1] == b"\x80":
            self.kind = "pickle"
        elif self._content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            self.kind = "xml"  # says its encoding itself
        else:
            self.kind = self._kind_of_text()

    def __str__(self) -> str:
        return str(self.path)

    @functools.cached_property
    def text(self) -> str:
        """All of it, as text."""
        return decode_text(self._content, self.path)

    @functools.cached_property
    def content(self) -> Parsed:
        """What the file holds: of TOML, YAML and JSON dicts and lists; of XML an `xml_text.Element`; of a
        pickle plain data, read without running anything in it.

        Raises:
            Pose3DError: It is damaged, or holds what a calibration has no need of: entities, tags, objects.
        """
        if self.kind == "toml":
            return self._toml()
        if self.kind == "json":
            return parse_json(self.text, self.path)
        if self.kind == "yaml":
            return parse_opencv_yaml(self.text, self.path)
        if self.kind == "xml":
            return parse_xml(self._content.lstrip(b" \t\r\n"), self.path)
        return load_archive(self.path, io.BytesIO(self._content))

    def _toml(self) -> dict[str, Parsed]:
        try:
            return tomllib.loads(self.text)
        except RecursionError:
            raise Pose3DError(f"{self.path} is nested too deeply, expected tables of cameras") from None
        except ValueError as error:  # of a number with thousands of digits, too
            raise Pose3DError(f"{self.path} is damaged: {' '.join(str(error).split())[:200]}") from None

    def _kind_of_text(self) -> str:
        text = self.text.lstrip("\ufeff \t\r\n")
        if text.startswith("<"):
            return "xml"
        if text.startswith("%YAML") or text.startswith("---"):
            return "yaml"
        if text.startswith("{"):
            return "json"
        if text.startswith("["):
            return "toml" if _TABLE.match(text) else "json"
        for line in io.StringIO(text):
            bare = line.split("#", 1)[0].strip()
            if not bare:
                continue
            if re.match(r"""["'\w.-]+\s*=|\[""", bare):
                return "toml"
            if re.match(r"""["'\w.-]+\s*:|-\s""", bare):
                return "yaml"
            break
        raise Pose3DError(
            f"{self.path} is no calibration file: expected TOML, YAML, XML, JSON or a pickle of cameras"
        )


def named(sources: Sequence[CalibrationSource]) -> str:
    """What messages call several files."""
    listed = [str(source) for source in sources]
    return ", ".join(listed) if len(listed) < 3 else f"{listed[0]} and {len(listed) - 1} more"
