"""Readers and writers of weight files: `.h5` in Keras 2's layout, checkpoints of PyTorch and TensorFlow 1."""
