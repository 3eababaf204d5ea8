"""Strided Transformer, with its refine module."""
