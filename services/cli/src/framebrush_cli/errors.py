"""The errors of the command line itself, which are shown as one line."""

from framebrush.errors import FramebrushError


class CommandFailed(FramebrushError):
    """The command cannot do what was asked; the text says why and what to do."""
