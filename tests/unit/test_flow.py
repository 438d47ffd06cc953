"""The one owner of completion, and the table of who consumes which queue."""

from pathlib import Path

import pytest
from support.pipeline import Pipeline

from framebrush.contracts import FLOW, BatchScored, RunEncoded, SegmentEncoded, SegmentScored, State, decode


def test_the_table_says_where_messages_go(clip: Path) -> None:
    pipeline = Pipeline(segment_frames=10, window_batches=4)
    pipeline.submit(pipeline.put("clip.mp4", clip.read_bytes()), batch_frames=5)
    assert pipeline.run().state is State.SUCCEEDED
    assert pipeline.routes == {
        (queue, target) for queue, step in FLOW.items() for target in step.sends if queue != "learnings"
    }


def test_the_last_batch_of_a_segment_and_the_last_segment_of_a_run_are_noticed_once(clip: Path) -> None:
    pipeline = Pipeline(segment_frames=10)
    pipeline.submit(pipeline.put("clip.mp4", clip.read_bytes()), batch_frames=5)
    pipeline.run()
    segments = len(pipeline.manifest().segments)
    assert segments > 1
    handled = [type(message) for message in pipeline.handled]
    assert handled.count(BatchScored) > segments == handled.count(SegmentEncoded)
    assert (handled.count(SegmentScored), handled.count(RunEncoded)) == (segments, 1)


@pytest.mark.parametrize("event", [BatchScored, SegmentEncoded])
def test_an_event_where_version_0_1_sends_it_reaches_the_dispatcher(clip: Path, event: type) -> None:
    """A scorer or stitcher of that version sends events to the stitchers' queue."""
    pipeline = Pipeline(segment_frames=10)
    pipeline.submit(pipeline.put("clip.mp4", clip.read_bytes()))
    while not (waiting := [message for message in pipeline.waiting if isinstance(message, event)]):
        pipeline.step()
    [message] = waiting
    pipeline.waiting.remove(message)
    received = decode("scored", message.encode(), input_container="input")
    pipeline.waiting.extend(pipeline.handlers["scored"](received))
    assert message in pipeline.waiting
    assert pipeline.run().state is State.SUCCEEDED
