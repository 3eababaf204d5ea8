"""DenseWarper: dense multi-view 3D poses from views that each show another frame."""
