"""The errors of the command line itself, which are shown as one line."""

from framebrush.errors import FramebrushError


class CommandFailed(FramebrushError):
    """The command cannot do what was asked; the text says why and what to do."""


class NotInstalled(CommandFailed):
    """What the command needs is in a package that is not installed."""

    def __init__(self, what: str, package: str) -> None:
        """Say what is missing.

        Args:
            what: A sentence.
            package: The folder of the package below ``services``, with its extra.
        """
        super().__init__(
            f"{what}: run `make setup` in a checkout of framebrush, or `uv pip install './services/{package}'` there"
        )
