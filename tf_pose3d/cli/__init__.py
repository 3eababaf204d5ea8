"""The programs: flags in, one call into the package, exit code out."""

import os

# Before TensorFlow is imported: its start-up chatter would bury the one line that matters.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
