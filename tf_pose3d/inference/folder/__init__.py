"""Lifting a whole folder: `jobs` finds what there is to do, `run` does it with workers of one machine
(`processes`) or of a Ray cluster (`ray_engine`), and `manifest` keeps what became of each file.
"""
