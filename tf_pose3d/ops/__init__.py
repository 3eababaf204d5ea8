"""Operations that are compiled where that is faster, each in a folder of its own.

A folder holds the face (`operation.py`), which computes with `keras.ops` wherever the compiled form does not
serve, the compiled form as a TensorFlow function with its gradient (`compiled.py`), and its sources (`src`).
What all share is here: the gate (`dispatch.py`), the library (`loader.py`, `build.py`, `cache.py`) and C++
headers (`include`). See `docs/operations.md`.

Importing this package compiles and loads nothing. The first call on the TensorFlow backend loads the
compiled library, building it where a compiler is at hand.
"""

from tf_pose3d.ops.deform_conv import deform_conv2d

__all__ = ["deform_conv2d"]
