"""The spans of messages. Unless spans are exported, all of this does nothing, and OpenTelemetry is not imported.

The id of a run's trace follows from the run's id. So all work for a run is in one trace, also that of a message that
comes without a context: from the command line, from a release that knows no traces, or from a person. Within the
trace, the parent of a span is the span that sent its message. Two deliveries of a message have the same parent.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from framebrush.tracing.otel import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The variables that name where spans go. OpenTelemetry defines them, and reads them itself."""

_traces: "Traces | None" = None


def trace_id(run_id: str) -> int:
    """Return the id of a run's trace: the first 128 bits of the SHA-256 of the run's id."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:16])


def start_tracing(service: str, exporter: "SpanExporter | None" = None) -> Callable[[], None]:
    """Export the spans of this process from now on, by OTLP over HTTP, if the environment names an endpoint.

    Args:
        service: The name of the service.
        exporter: Where spans go in place of the endpoint.

    Returns:
        A function that exports the spans that wait, within some seconds, and ends the export.
    """
    global _traces
    if exporter is None and not any(os.environ.get(name) for name in ENDPOINTS):
        return lambda: None
    from framebrush.tracing.otel import Traces

    traces = _traces = Traces(service, exporter)

    def stop() -> None:
        global _traces
        _traces = None
        traces.stop()

    return stop


@contextmanager
def message_span(queue: str, message_id: str, run_id: str | None, properties: Mapping[str, str]) -> Iterator[None]:
    """Measure the block, which handles and settles a message, as a span.

    Args:
        queue: The queue of the message.
        message_id: The id of the message.
        run_id: The run of the message; None if it names none. Its span is then in the trace of its sender.
        properties: The properties of the message, which hold the context of its sender.
    """
    if _traces is None:
        yield
        return
    with _traces.span(queue, message_id, run_id, properties):
        yield


def carried() -> dict[str, str]:
    """Return the properties by which a message carries the current span to its receiver."""
    return {} if _traces is None else _traces.carried()


def record(facts: Mapping[str, object], error: str | None) -> dict[str, str]:
    """Note in the current span what its message was about, and what became of it.

    Args:
        facts: What the message was about. The fact ``step``, if there is one, becomes the span's name.
        error: What kept the message from its end; None if it came to its end.

    Returns:
        The ids of trace and span, for a log line; nothing if there is no span.
    """
    return {} if _traces is None else _traces.record(facts, error)
