"""Spans of messages: which trace they are in, who their parents are, and what the export may cost."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from framebrush.tracing import carried, message_span, record, start_tracing, trace_id

FOREIGN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Ended = Callable[[], tuple[ReadableSpan, ...]]


@pytest.fixture
def ended() -> Iterator[Ended]:
    """Traces are on; gives the spans, in the order of their ends, and turns traces off."""
    exporter = InMemorySpanExporter()
    stop = start_tracing("scorer", exporter)

    def end() -> tuple[ReadableSpan, ...]:
        stop()
        return exporter.get_finished_spans()

    yield end
    stop()


def handle(run_id: str | None, properties: dict[str, str], queue: str = "splits") -> dict[str, str]:
    """Handle a message; the properties of one that follows from it."""
    with message_span(queue, "id", run_id, properties):
        return carried()


def test_nothing_is_imported_or_carried_unless_an_endpoint_is_set() -> None:
    code = """
import sys
from framebrush.messaging import Worker, MessageSender
from framebrush.service import run_service
from framebrush.storage import AzureBlobs
from framebrush.tracing import carried, message_span, record, start_tracing
stop = start_tracing("scorer")
with message_span("splits", "id", "film", {"traceparent": "%s"}):
    assert carried() == {}
    assert record({"step": "decode"}, None) == {}
stop()
found = [name for name in sys.modules if name.partition(".")[0] in ("opentelemetry", "google")]
assert not found, found
"""
    subprocess.run([sys.executable, "-c", code % FOREIGN], check=True, env={})


def test_a_run_has_one_trace_whatever_its_messages_carry(ended: Ended) -> None:
    first = handle("film", {})
    handle("film", first)  # delivered twice: two spans with one parent
    handle("film", first)
    handle("film", {"traceparent": "nonsense"})
    handle("other", first)
    root, *twice, lost, other = ended()
    assert root.parent is None
    assert root.context is not None
    for span in (root, *twice, lost):
        assert span.context is not None and span.context.trace_id == trace_id("film")
    for span in twice:
        assert span.parent is not None and span.parent.span_id == root.context.span_id
        assert not span.links
    assert lost.parent is None
    assert other.parent is None
    assert other.context is not None and other.context.trace_id == trace_id("other")
    assert first["traceparent"].split("-")[1:3] == [f"{trace_id('film'):032x}", f"{root.context.span_id:016x}"]


def test_a_callers_trace_is_linked_and_not_joined(ended: Ended) -> None:
    handle("film", {"traceparent": FOREIGN, "tracestate": "vendor=1"}, "triggers")
    (span,) = ended()
    assert span.parent is None
    assert span.context is not None and span.context.trace_id == trace_id("film")
    (link,) = span.links
    assert f"{link.context.trace_id:032x}" == FOREIGN.split("-")[1]


def test_a_message_without_a_run_stays_in_the_trace_of_its_sender(ended: Ended) -> None:
    first = handle(None, {}, "learnings")
    handle(None, first, "learnings")
    one, two = ended()
    assert one.context is not None and two.context is not None and two.parent is not None
    assert (two.context.trace_id, two.parent.span_id) == (one.context.trace_id, one.context.span_id)


def test_a_span_says_what_the_line_of_its_message_says(ended: Ended) -> None:
    with message_span("batches", "film/batch_ready/0/8", "film", {}):
        ids = record(
            {"step": "score", "frames": 8, "outcome": "retried", "milliseconds": {"model": 12.5}, "device": ("cpu",)},
            "Unavailable: away",
        )
    (span,) = ended()
    assert span.context is not None and span.attributes is not None
    assert ids == {"trace": f"{span.context.trace_id:032x}", "span": f"{span.context.span_id:016x}"}
    assert span.name == "score"
    assert dict(span.attributes) == {
        "messaging.system": "servicebus",
        "messaging.operation.type": "process",
        "messaging.destination.name": "batches",
        "messaging.message.id": "film/batch_ready/0/8",
        "framebrush.run": "film",
        "framebrush.step": "score",
        "framebrush.frames": 8,
        "framebrush.outcome": "retried",
        "framebrush.milliseconds.model": 12.5,
        "framebrush.device": "('cpu',)",
    }
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "Unavailable: away")
    assert span.resource.attributes["service.name"] == "framebrush-scorer"


def test_outside_of_a_message_there_is_no_span(ended: Ended) -> None:
    assert carried() == {}
    assert record({"step": "score"}, None) == {}
    assert ended() == ()


class Hanging(SpanExporter):
    """A collector that does not answer."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.go.wait(30)
        return SpanExportResult.FAILURE


def test_no_work_waits_for_a_collector_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framebrush.tracing.otel.LAST", 0.2)
    exporter = Hanging()
    stop = start_tracing("scorer", exporter)
    begun = time.monotonic()
    for number in range(3000):  # more than wait at most
        handle(f"film-{number}", {})
    stop()
    assert time.monotonic() - begun < 15
    exporter.go.set()
