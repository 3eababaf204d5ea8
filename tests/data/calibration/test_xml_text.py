"""XML without entities."""

from __future__ import annotations

import pytest

from tf_pose3d.data.calibration import read_calibration
from tf_pose3d.data.calibration.xml_text import parse_xml
from tf_pose3d.errors import Pose3DError

BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<opencv_storage><K>&b;</K></opencv_storage>"""
EXTERNAL = """<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<calibration><camera serial="&a;"/></calibration>"""


def test_elements_attributes_and_text():
    text = "<?xml version='1.0' encoding='ISO-8859-1'?><a b='\xe9'>x<c/>y<d><c e='1'/></d></a>"
    root = parse_xml(text.encode("latin-1"), "f")
    assert (root.name, root.attributes, root.text) == ("a", {"b": "é"}, "xy")
    assert [element.attributes for element in root.every("c")] == [{}, {"e": "1"}]
    assert root.child("none") is None


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, "<!DOCTYPE a><a/>"])
def test_entities_are_refused(tmp_path, text):
    path = tmp_path / "Calib.qca.txt"
    path.write_text(text)
    with pytest.raises(Pose3DError, match=r"a document type .* can declare entities"):
        read_calibration(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<a>", "is damaged at line 1"),
        ("<a/><b/>", "is damaged"),
        ("<a>" * 100 + "</a>" * 100, "nested too deeply"),
        ("<?xml version='1.0' encoding='nonsense'?><a/>", "encoding|damaged"),
        ("<a>&undefined;</a>", "is damaged"),
    ],
)
def test_damage_is_said_in_one_line(text, message):
    with pytest.raises(Pose3DError, match=message):
        parse_xml(text.encode(), "f")
