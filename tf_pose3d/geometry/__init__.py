"""Geometry of several calibrated views, in operations of Keras's backend."""
