"""Who calls what: runs through the real handlers, with a store that notes which service asks for which container."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from support.pipeline import Pipeline
from support.video import painting

from framebrush.contracts import FLOW, BlobRef, Incoming, LearnRequest, Message, StyleImage
from framebrush.storage import BlobInfo, MemoryStore
from framebrush_dispatcher.tracker import Tracker

SERVICE_OF = {queue: step.service for queue, step in FLOW.items()}


@dataclass
class Recorded:
    """What a service has called."""

    sends: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)


class RecordingStore(MemoryStore):
    """A store that notes the containers of its requests."""

    def __init__(self) -> None:
        super().__init__()
        self.found = defaultdict[str, Recorded](Recorded)
        self.caller = "test"

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        self.found[self.caller].reads.add(ref.container)
        return super().read(ref, start, length, etag=etag)

    def stat(self, ref: BlobRef) -> BlobInfo:
        self.found[self.caller].reads.add(ref.container)
        return super().stat(ref)

    def list(self, container: str, prefix: str = "") -> Iterator[BlobInfo]:
        self.found[self.caller].reads.add(container)
        return super().list(container, prefix)

    def write(self, ref: BlobRef, data: bytes | BinaryIO, **options: Any) -> str:
        self.found[self.caller].writes.add(ref.container)
        return super().write(ref, data, **options)

    def append(self, ref: BlobRef, data: bytes) -> None:
        self.found[self.caller].writes.add(ref.container)
        super().append(ref, data)

    def delete(self, refs: Iterable[BlobRef]) -> None:
        gone = list(refs)
        self.found[self.caller].writes |= {ref.container for ref in gone}
        super().delete(gone)


def record(film: bytes) -> dict[str, Recorded]:
    """Return the calls of every service: runs with a shipped style, a picture and a learned style, and bad ones."""
    store = RecordingStore()
    pipeline = Pipeline(
        store=store, segment_frames=3, window_batches=1, learner={"learn_turn": 60, "device": "cpu"},
        stitcher={"report_page": True},
    )  # fmt: skip
    for queue, handler in pipeline.handlers.items():
        pipeline.handlers[queue] = _noted(store, SERVICE_OF[queue], handler)
    source = pipeline.put("film.mp4", film)
    store.write(BlobRef(container="styles", name="wave.png"), painting(1))
    pipeline.send(LearnRequest(name="mine", picture="wave.png", content=(source,), steps=10))
    _drain(pipeline)
    pipeline.submit(source, run_id="picture", style_images=(StyleImage(name="wave.png"),))
    pipeline.submit(source, run_id="learned", model="mine")
    pipeline.submit(pipeline.put("none.mp4", b"no film"), run_id="bad")
    _drain(pipeline)
    store.caller = "dispatcher"
    Tracker(pipeline.runs)()
    return dict(store.found)


def _drain(pipeline: Pipeline) -> None:
    while pipeline.waiting:
        pipeline.step()


def _noted(
    store: RecordingStore, service: str, handler: Callable[[Incoming], Iterator[Message]]
) -> Callable[[Incoming], Iterator[Message]]:
    def handle(message: Incoming) -> Iterator[Message]:
        store.caller = service
        try:
            for outgoing in handler(message):
                store.found[service].sends.add(outgoing.queue)
                yield outgoing
        finally:
            store.caller = "test"

    return handle
