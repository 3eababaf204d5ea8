"""Calibrating cameras: from boards that they see, or from people who move before them."""
