"""Spans of a worker against a real broker: of messages that fail, come again, or become dead letters."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from support.queues import Queues, eventually

from framebrush.contracts import FrameRange, Incoming, Message, PackReady, SegmentPlanned
from framebrush.errors import InvalidVideo
from framebrush.messaging import Worker, context_of
from framebrush.tracing import message_span, start_tracing, trace_id

PLANNED = SegmentPlanned(run_id="a", segment=7)
READY = PackReady(run_id="a", segment=7, frames=FrameRange(first=0, count=1), offsets=(0, 1024))


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    stop = start_tracing("splitter", exporter)
    yield exporter
    stop()


def spans(exporter: InMemorySpanExporter, count: int) -> list[ReadableSpan]:
    """The spans, as soon as there are so many."""
    eventually(lambda: len(exporter.get_finished_spans()) >= count)
    return sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)


def send_from_a_span(queues: Queues, message: Message) -> None:
    with message_span("triggers", "trigger", "a", {}):
        queues.send(message)


def test_a_message_that_comes_again_has_the_same_parent(
    queues: Queues, work: Callable[..., Worker], exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """It is abandoned, then it fails, so that a copy comes, and then it is done."""
    caplog.set_level(logging.INFO)
    steps = iter([ValueError("odd"), None])

    def handler(message: Incoming) -> Iterator[Message]:
        if (error := next(steps)) is not None:
            raise error
        yield READY

    send_from_a_span(queues, PLANNED)
    receiver = queues.receiver("splits")
    (received,) = receiver.receive_messages(1, max_wait_time=10)
    receiver.abandon_message(received)
    work(handler)
    sender, failed, done = spans(exporter, 3)
    assert sender.context is not None and failed.context is not None and done.context is not None
    for span in (sender, failed, done):
        assert span.context is not None and span.context.trace_id == trace_id("a")
    for span in (failed, done):
        assert span.name == "decode"
        assert span.parent is not None and span.parent.span_id == sender.context.span_id
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "ValueError: odd")
    assert done.status.status_code is StatusCode.UNSET
    lines: list[dict[str, Any]] = [vars(record)["data"] for record in caplog.records if "data" in vars(record)]
    handled = [line for line in lines if "outcome" in line]
    assert [(line["delivery"], line["attempt"], line["outcome"]) for line in handled] == [
        (2, 1, "retried"),
        (2, 2, "completed"),
    ]
    (followed,) = queues.peek("frames")
    assert context_of(followed) == {"traceparent": f"00-{trace_id('a'):032x}-{done.context.span_id:016x}-{flags(done)}"}


def flags(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_flags:02x}"


def test_the_notice_of_a_dead_letter_comes_from_the_span_that_gave_it_up(
    queues: Queues, work: Callable[..., Worker], exporter: InMemorySpanExporter
) -> None:
    def handler(message: Incoming) -> Iterator[Message]:
        raise InvalidVideo("no video")
        yield

    work(handler)
    send_from_a_span(queues, PLANNED)
    _, given_up = spans(exporter, 2)
    assert given_up.context is not None and given_up.attributes is not None
    assert given_up.attributes["framebrush.outcome"] == "dead_lettered"
    (notice,) = queues.peek("frames")
    assert context_of(notice)["traceparent"].split("-")[2] == f"{given_up.context.span_id:016x}"
    (letter,) = queues.peek("splits", dead=True)
    assert context_of(letter)["traceparent"].split("-")[1] == f"{trace_id('a'):032x}"
