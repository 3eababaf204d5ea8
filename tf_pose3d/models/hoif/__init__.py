"""HOIF-Net."""
