"""The compiled soft-argmax; its face and `keras.ops` form are in `tf_pose3d.geometry.soft_argmax`."""
