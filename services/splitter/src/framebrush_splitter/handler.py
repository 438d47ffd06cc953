"""The splitter's two steps: plan a run, decode a segment."""

from collections.abc import Iterator

from framebrush.contracts import Incoming, Message, SegmentPlanned, Trigger
from framebrush.sandbox import Sandbox
from framebrush.storage import Store
from framebrush_splitter.planner import Planner
from framebrush_splitter.segments import SegmentSplitter
from framebrush_splitter.settings import SplitterSettings


class Splitter:
    """Handles the queues ``triggers`` and ``splits``."""

    def __init__(self, store: Store, settings: SplitterSettings, sandbox: Sandbox) -> None:
        self._plan = Planner(store, settings, sandbox)
        self._split = SegmentSplitter(store, settings, sandbox)

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Do one step, and yield the messages that follow from it.

        Raises:
            PermanentError: The run or the segment cannot be made as it is.
        """
        match message:
            case Trigger(requests=requests, members=members):
                yield from members  # one message each: a bad one among them fails alone, and is replayed alone
                for request in requests:
                    yield from self._plan(request)
            case SegmentPlanned():
                yield from self._split(message)
            case _:
                raise TypeError(f"not for the splitter: {type(message).__name__}")
