"""What can go wrong, and the exit code each kind ends in."""


class BrushnetError(Exception):
    """The work failed although the request was right. The message is one line. Exit code 1."""

    exit_code = 1


class UserError(BrushnetError):
    """The request was wrong: a bad option, a missing file, an unknown layer. Exit code 2.

    The message is one line that names the option, the value and what is allowed.
    """

    exit_code = 2


class ConfigError(UserError):
    """An option of a run's configuration is wrong, or two options contradict each other."""


class ImageError(BrushnetError):
    """A picture cannot be decoded; the message says why, without the file name, which the caller adds."""


class TooLargeError(ImageError):
    """A picture of more bytes or pixels than are read."""


class Stopped(BrushnetError):  # noqa: N818  (not an error: the user asked for it)
    """Stopped on request (Ctrl-C, SIGTERM, Slurm's warning); what was done is saved and can be resumed. Exit code 3."""

    exit_code = 3
