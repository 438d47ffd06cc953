"""The dispatcher's steps: hand out a pack, notice what is complete, hand out what follows, deal with what failed.

The blobs that exist tell what is complete. Two dispatchers may notice the same thing at the same time. Both then send a
message with the same id, of which the broker keeps one. If it kept both, the second one would find its work done.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from framebrush.contracts import (
    BatchReady,
    BatchScored,
    BlobRef,
    Failure,
    FrameFailure,
    Incoming,
    ItemFailed,
    Message,
    Options,
    PackReady,
    RunEncoded,
    SegmentEncoded,
    SegmentPlanned,
    SegmentScored,
    State,
    Status,
    Trigger,
    decode,
    find_generation,
)
from framebrush.errors import BlobNotFound, InvalidMessage, RunExists
from framebrush.media import PackWriter, read_pack
from framebrush.runs import Completion, Runs, Work, work_metadata
from framebrush.service import Settings, frames_in, frames_out
from framebrush.storage import Store, write_once
from framebrush_dispatcher.batching import batches

log = logging.getLogger(__name__)


class Dispatcher:
    """Handles the queues ``frames`` and ``events``."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._runs = Runs(store, settings.work_container)
        self._completion = Completion(self._runs)
        self._work = Work(self._runs, keep_frames=settings.keep_frames)

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Do the step that a message asks for, and yield the messages that follow.

        Raises:
            TypeError: The message is not one of the dispatcher's.
        """
        match message:
            case PackReady():
                yield from self._dispatch(message)
            case BatchScored():
                yield from self._batch_scored(message)
            case SegmentEncoded():
                yield from self._segment_encoded(message)
            case ItemFailed():
                yield from self._failed(message)
            case _:
                raise TypeError(f"not for the dispatcher: {type(message).__name__}")

    def _dispatch(self, pack: PackReady) -> Iterator[Message]:
        if not self._runs.active(pack.run_id):
            return
        frames_in.inc(pack.frames.count)
        for batch in batches(pack, self._runs.manifest(pack.run_id).batch_frames):
            yield batch
            frames_out.inc(batch.frames.count)

    def _batch_scored(self, event: BatchScored) -> Iterator[SegmentScored | SegmentPlanned]:
        if not self._runs.active(event.run_id):
            return
        manifest = self._runs.manifest(event.run_id)
        chunk = manifest.chunk_at(event.segment, event.frames.first)
        if self._completion.scored(event.run_id, event.segment, chunk):
            yield SegmentScored(run_id=event.run_id, generation=event.generation, segment=event.segment, chunk=chunk)
            following = manifest.segment_after(event.segment, chunk)
            if following is not None:
                yield SegmentPlanned(run_id=event.run_id, generation=event.generation, segment=following)

    def _segment_encoded(self, event: SegmentEncoded) -> Iterator[RunEncoded]:
        if self._runs.active(event.run_id) and self._completion.encoded(event.run_id):
            yield RunEncoded(run_id=event.run_id, generation=event.generation)

    def _failed(self, failed: ItemFailed) -> Iterator[Message]:
        """Apply the run's policy: replace the frames of a lost batch, or end the run with the reason.

        A run that was reopened after the item was sent goes on: the item is being made again, or was sent again.
        """
        if failed.source == "triggers" and failed.reason in (RunExists.reason, InvalidMessage.reason):
            return  # The message names a run that is not its own, or may not be.
        item = self._item(failed)
        if isinstance(item, BatchReady) and self._options(failed.run_id).bad_frames != "fail":
            refs = self._styled(item)
            yield from self._work.step(failed.run_id, lambda: [ref.name for ref in refs], self._replace(item, failed))
            return
        failure = Failure(reason=failed.reason, description=failed.description)
        # Notices of version 0.1 always say 0; the item itself, where it says anything, knows better.
        generation = max(failed.generation, find_generation(failed.body.encode()))
        try:
            ended = self._runs.fail(failed.run_id, failure, generation=generation)
        except BlobNotFound:  # There is no status yet, or there never was such a run.
            ended = isinstance(item, Trigger) and self._runs.create(_failed_before_planning(failed, item, failure))
        if ended:
            log.warning("run failed: %s: %s", failure.reason, failure.description)

    def _item(self, failed: ItemFailed) -> Incoming | None:
        try:
            return decode(failed.source, failed.body.encode(), input_container=self._settings.input_container)
        except InvalidMessage:
            return None

    def _options(self, run_id: str) -> Options:
        return self._runs.manifest(run_id).options

    def _styled(self, batch: BatchReady) -> list[BlobRef]:
        """Return the styled packs of a batch, one for each rendition."""
        blobs, renditions = self._runs.blobs(batch.run_id), self._runs.manifest(batch.run_id).renditions
        return [blobs.styled(batch.segment, batch.frames, rendition.number) for rendition in renditions]

    def _replace(self, batch: BatchReady, failed: ItemFailed) -> Iterator[BatchScored]:
        """Write what a scorer writes if every frame of a batch is bad, and yield the event.

        What a scorer wrote before its message was lost stays as it is.
        """
        started, blobs = datetime.now(UTC), self._runs.blobs(batch.run_id)
        options = self._options(batch.run_id)
        pack, originals = PackWriter(options.pack_codec), dict[int, bytes]()
        if options.bad_frames == "keep_original":
            data = self._store.read(blobs.pack(batch.segment, batch.pack), batch.start, batch.length)
            originals, _ = read_pack(data)
        for frame in range(batch.frames.first, batch.frames.stop):
            if frame in originals:
                pack.add_frame(frame, originals[frame])
            pack.add_failure(FrameFailure(frame=frame, error=f"{failed.reason}: {failed.description}"))
        data, metadata = pack.finish(), work_metadata(started)
        for ref in self._styled(batch):
            write_once(self._store, ref, data, metadata=metadata)
        yield BatchScored(run_id=batch.run_id, generation=batch.generation, segment=batch.segment, frames=batch.frames)


def _failed_before_planning(failed: ItemFailed, item: Trigger, failure: Failure) -> Status:
    request, now = item.requests[0], datetime.now(UTC)
    return Status(
        run_id=failed.run_id,
        state=State.FAILED,
        created=now,
        updated=now,
        ended=now,
        input=request.input,
        model=request.options.model or "default",
        more_models=request.options.more_models,
        error=failure,
    )
