"""HGCN."""
