"""The YAML of OpenCV's FileStorage."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.calibration.opencv_yaml import parse_opencv_yaml
from tf_pose3d.errors import Pose3DError

TEXT = """%YAML:1.0
---
# made by hand
calibration_time: "Sun 12 May: 10 o'clock"   # when
nr_of_frames: 25
flags: -1
avg_reprojection_error: 3.4e-01
bad: .Nan
empty:
names:
   - "01"
   - cam 2
   - 3
image_size: [ 1280, 720 ]
nested:
  a: { x:1., y: [2, 3], name: "b, c" }
  b:
    - k: 1
      l: two
    - [ 1., 2. ]
camera_matrix: !!opencv-matrix
   rows: 2
   cols: 3
   dt: d
   data: [ 1., 2.,
       3., 4.5e+00, -.5, 6 ]
ros: {rows: 1, cols: 2, data: [7, 8]}
...
"""


def test_all_that_file_storage_writes():
    read = parse_opencv_yaml(TEXT, "f")
    assert read["calibration_time"] == "Sun 12 May: 10 o'clock"
    assert (read["nr_of_frames"], read["flags"], read["avg_reprojection_error"]) == (25, -1, 0.34)
    assert np.isnan(read["bad"])
    assert read["empty"] is None
    assert read["names"] == ["01", "cam 2", 3]
    assert read["image_size"] == [1280, 720]
    assert read["nested"]["a"] == {"x": 1.0, "y": [2, 3], "name": "b, c"}
    assert read["nested"]["b"] == [{"k": 1, "l": "two"}, [1.0, 2.0]]
    np.testing.assert_array_equal(read["camera_matrix"], [[1, 2, 3], [4.5, -0.5, 6]])
    assert read["ros"]["data"] == [7, 8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [ 'ls' ]", "line 1: the tag '!!python"),
        ("a: &b [ 1 ]\nc: *b", "line 1: the anchor '&b'"),
        ("c: *b", "line 1: the alias"),
        ("c: [ *b ]", "line 1: '\\*b' is not read"),
        ("a: [ 1, 2", "line 1: a list is not closed"),
        ("a: [ 1 ] 2", "line 1: .* follows a list"),
        ("a: [ 1 }", "line 1"),
        ("a: 1\na: 2", "line 2: the key 'a' stands there twice"),
        ("a: 1\n   b: 2", "line 2: .* indented further"),
        ("  a: 1\nb: 2", "line 2: .* belongs to nothing"),
        ("a:\n\tb: 1", "line 2: is indented by a tabulator"),
        ("a: |\n  text", "line 1: the text .* is not read"),
        (
            "a: !!opencv-matrix\n   rows: 2\n   cols: 2\n   data: [ 1 ]",
            "2 rows and 2 columns holds other data",
        ),
        ("a: !!opencv-matrix\n   rows: 2", "needs rows, cols and data"),
        ("- 1\n- 2", "holds a list"),
        ("a: " + "[" * 50 + "]" * 50, "nested too deeply"),
        ("".join(" " * n + f"k{n}:\n" for n in range(40)), "nested too deeply"),
        ("%YAML:1.0\n---\n", "holds nothing"),
        ("nothing", "is no key with a value"),
    ],
)
def test_the_rest_of_yaml_is_refused(text, message):
    with pytest.raises(Pose3DError, match=message) as caught:
        parse_opencv_yaml(text, "f")
    assert "\n" not in str(caught.value)
