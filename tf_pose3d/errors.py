"""The one exception that the programs turn into a single line on stderr."""


class Pose3DError(ValueError):
    """Bad input from the user: a file, a flag, a config value, a set of weights.

    The message is one line that names the file or argument, what is wrong with it, and what would be
    right. The programs print it without a traceback and exit with a non-zero status.
    """
