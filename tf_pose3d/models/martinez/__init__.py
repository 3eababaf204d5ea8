"""The simple baseline of Martinez et al."""
