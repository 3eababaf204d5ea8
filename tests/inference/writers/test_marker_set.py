from xml.etree import ElementTree

from tf_pose3d.inference.writers.marker_set import marker_set_text
from tf_pose3d.inference.writers.markers import marker_names


def test_its_markers_are_those_of_our_trc_files(motion):
    markers = ElementTree.fromstring(marker_set_text().encode()).findall("MarkerSet/objects/Marker")
    names = [marker.get("name") for marker in markers]
    assert len(names) == len(set(names)) == 13
    assert set(names) <= set(marker_names(motion)[1])
    assert {marker.findtext("socket_parent_frame") for marker in markers} >= {
        "/bodyset/femur_r",
        "/bodyset/ulna_l",
    }
    assert all(len(marker.findtext("location").split()) == 3 for marker in markers)
