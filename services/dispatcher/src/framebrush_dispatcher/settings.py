"""Settings of the dispatcher."""

from typing import Annotated

from pydantic import Field

from framebrush.service import Settings


class DispatcherSettings(Settings):
    """How often the dispatcher measures runs and looks for dead letters."""

    track_interval: Annotated[float, Field(gt=0)] = 1.0
    """The seconds between two updates of the active runs' progress."""
    dead_letter_interval: Annotated[float, Field(gt=0)] = 30.0
    """The seconds between two looks into the dead-letter queues, by one of all dispatchers."""
