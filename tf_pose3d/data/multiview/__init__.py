"""Images of calibrated cameras: records, readers, groups of views, and batches of crops."""
