"""Uplift and Upsample: sparse 2D input, dense 3D output (Einfalt et al., WACV 2023)."""
