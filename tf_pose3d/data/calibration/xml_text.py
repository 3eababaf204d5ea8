"""XML as calibrations need it: elements, attributes, text; document types, and so entities, are refused."""

from __future__ import annotations

import dataclasses
from xml.parsers import expat

from tf_pose3d.errors import Pose3DError

__all__ = ["Element", "parse_xml"]

_DEEPEST, _MOST_ELEMENTS = 40, 200_000


@dataclasses.dataclass
class Element:
    """An element; its children stand in the order of the file.

    Attributes:
        name: Its tag.
        attributes: Name -> value.
        children: Elements in it.
        text: All text directly in it.
    """

    name: str
    attributes: dict[str, str]
    children: list[Element] = dataclasses.field(default_factory=list)
    text: str = ""

    def child(self, name: str) -> Element | None:
        """The first child of this name."""
        return next((child for child in self.children if child.name == name), None)

    def every(self, name: str) -> list[Element]:
        """All elements of this name in it, at any depth."""
        found, waiting = [], [self]
        while waiting:
            element = waiting.pop()
            if element.name == name:
                found.append(element)
            waiting += reversed(element.children)
        return found


def parse_xml(content: bytes, where: object) -> Element:
    """The root element.

    Args:
        content: The file.
        where: Names it in messages.

    Raises:
        Pose3DError: It is damaged, has a document type (which could declare entities that grow without end or
            read other files), or is nested too deeply.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    stack: list[Element] = []
    roots: list[Element] = []
    texts: list[list[str]] = []
    count = 0

    def refuse(*_: object) -> None:
        raise Pose3DError(
            f"{where}: line {parser.CurrentLineNumber}: a document type (<!DOCTYPE ...>) can declare "
            "entities, which are not read; a calibration needs none: remove it"
        )

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(stack) >= _DEEPEST or count > _MOST_ELEMENTS:
            raise Pose3DError(f"{where}: nested too deeply or too long for a calibration")
        element = Element(name, attributes)
        (stack[-1].children if stack else roots).append(element)
        stack.append(element)
        texts.append([])

    def end(_: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def characters(data: str) -> None:
        if texts:
            texts[-1].append(data)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise Pose3DError(
            f"{where} is damaged at line {error.lineno}: {expat.ErrorString(error.code)}"
        ) from None
    except (LookupError, ValueError) as error:
        if isinstance(error, Pose3DError):
            raise
        raise Pose3DError(f"{where} is in an encoding that is not known") from None
    return roots[0]
