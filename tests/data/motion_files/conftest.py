"""Small files of motion in the structure that programs and data sets write."""

from __future__ import annotations

import pytest

# As the CMU database's files: bones by their ends, angles about axes of their own, no frame rate.
ASF = """# AST/ASF file generated using VICON BodyLanguage
# -----------------------------------------------
:version 1.10
:name VICON
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   .ast/.asf automatically generated from VICON data using
   VICON BodyBuilder and BodyLanguage model FoxedUp or BRILLIANT.MOD
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
"""
_BONES = (
    # name, direction, length, axis, dof
    ("lhipjoint", "0.6 -0.7 0.4", 2.4, "0 0 0", ""),
    ("lfemur", "0.34 -0.94 0", 7.16, "0 0 20", "rx ry rz"),
    ("ltibia", "0.34 -0.94 0", 7.49, "0 0 20", "rx"),
    ("lfoot", "0.1 -0.3 0.95", 2.4, "-90 0 20", "rx rz"),
    ("rhipjoint", "-0.6 -0.7 0.4", 2.4, "0 0 0", ""),
    ("rfemur", "-0.34 -0.94 0", 7.16, "0 0 -20", "rx ry rz"),
    ("rtibia", "-0.34 -0.94 0", 7.49, "0 0 -20", "rx"),
    ("rfoot", "-0.1 -0.3 0.95", 2.4, "-90 0 -20", "rx rz"),
    ("lowerback", "0 1 0", 2.05, "0 0 0", "rx ry rz"),
    ("upperback", "0 1 0", 2.08, "0 0 0", "rx ry rz"),
    ("thorax", "0 1 0", 2.06, "0 0 0", "rx ry rz"),
    ("lowerneck", "0 1 0", 1.74, "0 0 0", "rx ry rz"),
    ("upperneck", "0 1 0", 1.72, "0 0 0", "rx ry rz"),
    ("head", "0 1 0", 1.77, "0 0 0", "rx ry rz"),
    ("lclavicle", "0.94 0.34 0", 3.6, "0 0 0", "ry rz"),
    ("lhumerus", "1 0 0", 4.98, "180 30 90", "rx ry rz"),
    ("lradius", "1 0 0", 3.26, "180 30 90", "rx"),
    ("lwrist", "1 0 0", 1.63, "0 90 90", "ry"),
    ("rclavicle", "-0.94 0.34 0", 3.6, "0 0 0", "ry rz"),
    ("rhumerus", "-1 0 0", 4.98, "180 -30 -90", "rx ry rz"),
    ("rradius", "-1 0 0", 3.26, "180 -30 -90", "rx"),
    ("rwrist", "-1 0 0", 1.63, "0 -90 -90", "ry"),
)
_HIERARCHY = """:hierarchy
  begin
    root lhipjoint rhipjoint lowerback
    lhipjoint lfemur
    lfemur ltibia
    ltibia lfoot
    rhipjoint rfemur
    rfemur rtibia
    rtibia rfoot
    lowerback upperback
    upperback thorax
    thorax lowerneck lclavicle rclavicle
    lowerneck upperneck
    upperneck head
    lclavicle lhumerus
    lhumerus lradius
    lradius lwrist
    rclavicle rhumerus
    rhumerus rradius
    rradius rwrist
  end
"""


@pytest.fixture
def asf_text() -> str:
    bones = []
    for number, (name, direction, length, axis, dof) in enumerate(_BONES, 1):
        lines = [
            "  begin",
            f"     id {number}",
            f"     name {name}",
            f"     direction {direction}",
            f"     length {length}",
            f"     axis {axis}  XYZ",
        ]
        if dof:
            lines += [f"    dof {dof}", *(["    limits (-160.0 20.0)"] + ["           (-70.0 70.0)"] * 2)]
        bones.append("\n".join([*lines, "  end"]))
    return ASF + "\n".join(bones) + "\n" + _HIERARCHY


@pytest.fixture
def amc_text() -> str:
    """Two frames: in the second the left knee is bent by 90 degrees and the person has gone on."""
    lines = ["#!OML:ASF F:\\VICON\\USERDATA\\INSTALL\\rory3.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in (1, 2):
        lines += [str(frame), f"root 0 17.5 {10 * frame} 0 0 0"]
        for name, _, _, _, dof in _BONES:
            values = ["0"] * len(dof.split())
            if frame == 2 and name == "ltibia":
                values[0] = "90"
            if values:
                lines.append(" ".join([name, *values]))
    return "\n".join(lines) + "\n"


# As the conversions of the CMU database: hips that turn z, x, y, other joints z, y, x; joints of no length.
BVH = """HIERARCHY
ROOT Hips
{
\tOFFSET 0.00000 0.00000 0.00000
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
\tJOINT LHipJoint
\t{
\t\tOFFSET 0 0 0
\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\tJOINT LeftUpLeg
\t\t{
\t\t\tOFFSET 10 -10 0
\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\tJOINT LeftLeg
\t\t\t{
\t\t\t\tOFFSET 0 -40 0
\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\tJOINT LeftFoot
\t\t\t\t{
\t\t\t\t\tOFFSET 0 -42 0
\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\tEnd Site
\t\t\t\t\t{
\t\t\t\t\t\tOFFSET 0 -5 12
\t\t\t\t\t}
\t\t\t\t}
\t\t\t}
\t\t}
\t}
\tJOINT RHipJoint
\t{
\t\tOFFSET 0 0 0
\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\tJOINT RightUpLeg
\t\t{
\t\t\tOFFSET -10 -10 0
\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\tJOINT RightLeg
\t\t\t{
\t\t\t\tOFFSET 0 -40 0
\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\tJOINT RightFoot
\t\t\t\t{
\t\t\t\t\tOFFSET 0 -42 0
\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\tEnd Site
\t\t\t\t\t{
\t\t\t\t\t\tOFFSET 0 -5 12
\t\t\t\t\t}
\t\t\t\t}
\t\t\t}
\t\t}
\t}
\tJOINT Spine
\t{
\t\tOFFSET 0 12 0
\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\tJOINT Spine1
\t\t{
\t\t\tOFFSET 0 12 0
\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\tJOINT Neck
\t\t\t{
\t\t\t\tOFFSET 0 14 0
\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\tJOINT Head
\t\t\t\t{
\t\t\t\t\tOFFSET 0 14 0
\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\tEnd Site
\t\t\t\t\t{
\t\t\t\t\t\tOFFSET 0 12 0
\t\t\t\t\t}
\t\t\t\t}
\t\t\t}
\t\t\tJOINT LeftShoulder
\t\t\t{
\t\t\t\tOFFSET 2 12 0
\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\tJOINT LeftArm
\t\t\t\t{
\t\t\t\t\tOFFSET 16 0 0
\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\tJOINT LeftForeArm
\t\t\t\t\t{
\t\t\t\t\t\tOFFSET 28 0 0
\t\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\t\tJOINT LeftHand
\t\t\t\t\t\t{
\t\t\t\t\t\t\tOFFSET 25 0 0
\t\t\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\t\t\tEnd Site
\t\t\t\t\t\t\t{
\t\t\t\t\t\t\t\tOFFSET 15 0 0
\t\t\t\t\t\t\t}
\t\t\t\t\t\t}
\t\t\t\t\t}
\t\t\t\t}
\t\t\t}
\t\t\tJOINT RightShoulder
\t\t\t{
\t\t\t\tOFFSET -2 12 0
\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\tJOINT RightArm
\t\t\t\t{
\t\t\t\t\tOFFSET -16 0 0
\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\tJOINT RightForeArm
\t\t\t\t\t{
\t\t\t\t\t\tOFFSET -28 0 0
\t\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\t\tJOINT RightHand
\t\t\t\t\t\t{
\t\t\t\t\t\t\tOFFSET -25 0 0
\t\t\t\t\t\t\tCHANNELS 3 Zrotation Yrotation Xrotation
\t\t\t\t\t\t\tEnd Site
\t\t\t\t\t\t\t{
\t\t\t\t\t\t\t\tOFFSET -15 0 0
\t\t\t\t\t\t\t}
\t\t\t\t\t\t}
\t\t\t\t\t}
\t\t\t\t}
\t\t\t}
\t\t}
\t}
}
MOTION
Frames: {frames}
Frame Time: .0083333
"""
BVH_JOINTS = [line.split()[1] for line in BVH.splitlines() if line.split()[:1] in (["ROOT"], ["JOINT"])]


@pytest.fixture
def bvh_text() -> str:
    """Nine frames at 120 per second; from the fifth on the left knee is bent by 90 degrees."""
    rows = []
    for frame in range(9):
        angles = {name: [0.0, 0.0, 0.0] for name in BVH_JOINTS}
        if frame >= 4:
            angles["LeftLeg"][2] = 90.0
        row = [0.0, 97.0, float(frame)] + [value for name in BVH_JOINTS for value in angles[name]]
        rows.append(" ".join(f"{value:g}" for value in row) + " ")
    return BVH.replace("{frames}", "9") + "\n".join(rows) + "\n"
