"""The releases' own scripts: their flags, and what they are here. One module per kind of release."""
