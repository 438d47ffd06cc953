"""All services in one process: storage in memory, messages in a list."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from framebrush.contracts import BlobRef, Incoming, ItemFailed, Manifest, Message, Options, RunRequest, Status, decode
from framebrush.errors import PermanentError, Unavailable
from framebrush.messaging import current_run, run_context
from framebrush.runs import Runs
from framebrush.sandbox import Sandbox
from framebrush.steps import Delivery, collected
from framebrush.storage import MemoryStore
from framebrush_dispatcher.handler import Dispatcher
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_scorer.learning.learner import Learner
from framebrush_scorer.pipeline import Scorer
from framebrush_scorer.settings import LearnerSettings, ScorerSettings
from framebrush_splitter.handler import Splitter
from framebrush_splitter.settings import SplitterSettings
from framebrush_stitcher.handler import Stitcher
from framebrush_stitcher.settings import StitcherSettings

CONNECTIONS: dict[str, Any] = {
    "storage_connection_string": "unused",
    "servicebus_connection_string": "unused",
    "default_model": "identity",
}


SANDBOX = Sandbox(2000)
"""Of all pipelines: starting a process takes half a second."""


class Pipeline:
    """Handles messages until none is left. ``order`` picks the next: by default the oldest.

    Runs get no page unless the stitcher's settings say so: it takes a third of a second.
    """

    def __init__(
        self,
        order: Callable[[int], int] = lambda count: 0,
        sandbox: Sandbox = SANDBOX,
        stitcher: Mapping[str, Any] = MappingProxyType({}),
        learner: Mapping[str, Any] = MappingProxyType({}),
        store: MemoryStore | None = None,
        **splitter: Any,
    ) -> None:
        self.store = store or MemoryStore()
        self.runs = Runs(self.store, "work")
        split = Splitter(self.store, SplitterSettings(**CONNECTIONS, **splitter), sandbox)
        dispatch = Dispatcher(self.store, DispatcherSettings(**CONNECTIONS))
        self.handlers: dict[str, Callable[[Incoming], Iterator[Message]]] = {
            "triggers": split,
            "splits": split,
            "frames": dispatch,
            "events": dispatch,
            "batches": Scorer(self.store, ScorerSettings(**CONNECTIONS)),
            "scored": Stitcher(
                self.store, StitcherSettings(**CONNECTIONS, **{"report_page": False, **stitcher}), sandbox
            ),
            "learnings": Learner(self.store, LearnerSettings(**CONNECTIONS, **learner), sandbox),
        }
        self.order = order
        self.waiting = deque[Message]()
        self.queued: dict[str, datetime] = {}
        """When each message came, by its id."""
        self.taken = Counter[str]()
        self.sent: set[str] = set()
        self.handled: list[Message] = []
        self.routes: set[tuple[str, str]] = set()
        """Pairs of queues: the one of a message, and the one of a message that followed from it."""
        self.dead: list[tuple[Message, PermanentError]] = []

    def put(self, name: str, data: bytes) -> BlobRef:
        """Store an input."""
        ref = BlobRef(container="input", name=name)
        self.store.write(ref, data)
        return ref

    def submit(self, ref: BlobRef, run_id: str | None = None, output: BlobRef | None = None, **options: Any) -> None:
        """Queue a request."""
        request = RunRequest(input=ref, run_id=run_id, output=output, options=Options(**options))
        self.queued[request.message_id] = datetime.now(UTC)
        self.waiting.append(request)

    def send(self, message: Message) -> None:
        """Queue a message, unless one of this id was queued before: the broker's duplicate detection."""
        if message.message_id not in self.sent:
            self.sent.add(message.message_id)
            self.queued[message.message_id] = datetime.now(UTC)
            self.waiting.append(message)

    def step(self) -> Message:
        """Handle one message, over the wire format.

        A permanent error becomes a dead letter and a notice; a message that met an outage comes again.
        """
        self.waiting.rotate(-self.order(len(self.waiting)))
        message = self.waiting.popleft()
        self.taken[message.message_id] += 1
        now = datetime.now(UTC)
        came = Delivery(self.queued.get(message.message_id, now), now, self.taken[message.message_id])
        with run_context(message.run_id), collected(came):
            try:
                received = decode(message.queue, message.encode(), input_container="input")
                for outgoing in self.handlers[message.queue](received):
                    self.routes.add((message.queue, outgoing.queue))
                    self.send(outgoing)
            except PermanentError as error:
                self._bury(message, error)
            except Unavailable:
                self.waiting.append(message)
        self.handled.append(message)
        return message

    def _bury(self, message: Message, error: PermanentError) -> None:
        self.dead.append((message, error))
        run_id = current_run()
        if run_id is not None and not isinstance(message, ItemFailed):
            notice = ItemFailed(
                run_id=run_id,
                source=message.queue,  # type: ignore[arg-type]
                item=message.message_id,
                reason=error.reason,
                description=str(error),
                body=message.encode().decode(),
            )
            self.send(notice)

    def run(self) -> Status:
        """Handle all messages; the status of the last run."""
        while self.waiting:
            self.step()
        return self.status()

    def status(self) -> Status:
        """The status of the only run."""
        ((run_id, _),) = self.runs.ids()
        return self.runs.status(run_id)

    def manifest(self) -> Manifest:
        """The manifest of the only run."""
        return self.runs.manifest(self.status().run_id)

    def output(self) -> bytes:
        """The output of the only run."""
        ref = self.status().output
        assert ref is not None
        return self.store.read(ref)
