"""A marker set for OpenSim: the markers of our TRC files on the joint centres of its full-body models."""

from __future__ import annotations

from xml.etree import ElementTree

__all__ = ["marker_set_text"]

# Pose2Sim's name of a joint -> the body whose origin is that joint's centre, in the models gait2392 and
# Rajagopal 2016.
_BODIES = {
    "Hip": "femur",
    "Knee": "tibia",
    "Ankle": "talus",
    "Shoulder": "humerus",
    "Elbow": "ulna",
    "Wrist": "hand",
}
# Metres in the pelvis's frame, half-way between the hips of Rajagopal's model.
_MID_HIP = (-0.0562761, -0.0784902, 0.0)


def marker_set_text() -> str:
    """An OpenSim `MarkerSet` document (version 40000) with the names of
    `tf_pose3d.inference.writers.markers`.

    Joint centres are the origins of the bodies beyond them, so that no offset has to be measured; neck and
    head have no such body and are left out.
    """
    document = ElementTree.Element("OpenSimDocument", Version="40000")
    markers = ElementTree.SubElement(document, "MarkerSet", name="tf_pose3d")
    objects = ElementTree.SubElement(markers, "objects")
    places = [("Hip", "pelvis", _MID_HIP)]
    places += [
        (f"{side}{joint}", f"{body}_{side.lower()}", (0.0, 0.0, 0.0))
        for side in "RL"
        for joint, body in _BODIES.items()
    ]
    for name, body, place in places:
        marker = ElementTree.SubElement(objects, "Marker", name=name)
        ElementTree.SubElement(marker, "socket_parent_frame").text = f"/bodyset/{body}"
        ElementTree.SubElement(marker, "location").text = " ".join(f"{value:g}" for value in place)
        ElementTree.SubElement(marker, "fixed").text = "true"
    ElementTree.indent(document, "\t")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(document, "unicode") + "\n"
