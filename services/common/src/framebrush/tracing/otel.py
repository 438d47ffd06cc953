"""Spans by OpenTelemetry. Nothing imports this module unless spans are exported."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, format_span_id, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from framebrush.tracing.spans import trace_id

LAST = 3.0
"""The seconds that the last export may take when the service ends."""

_run: ContextVar[str | None] = ContextVar("run", default=None)
_context = TraceContextTextMapPropagator()


class _RunIds(RandomIdGenerator):
    """Gives each run one trace id."""

    def generate_trace_id(self) -> int:
        run_id = _run.get()
        return super().generate_trace_id() if run_id is None else trace_id(run_id)


class Traces:
    """The spans of a process, which a thread of OpenTelemetry exports some seconds later. What is too much is lost."""

    def __init__(self, service: str, exporter: SpanExporter | None = None) -> None:
        resource = Resource.create(
            {"service.name": f"framebrush-{service}", "service.instance.id": os.uname().nodename}
        )
        self._provider = TracerProvider(resource=resource, id_generator=_RunIds(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("framebrush")

    def stop(self) -> None:
        """Export what waits, within :data:`LAST` seconds, and end."""
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(LAST)

    @contextmanager
    def span(self, queue: str, message_id: str, run_id: str | None, properties: Mapping[str, str]) -> Iterator[None]:
        """See :func:`framebrush.tracing.message_span`."""
        received = _context.extract(properties, Context())
        sender = get_current_span(received).get_span_context()
        own = run_id is None or sender.trace_id == trace_id(run_id)
        token = _run.set(run_id)
        try:
            with self._tracer.start_as_current_span(
                queue,
                context=received if own else Context(),
                kind=SpanKind.CONSUMER,
                # A caller's trace is another one, which may have asked for several runs.
                links=[Link(sender)] if sender.is_valid and not own else [],
                attributes={
                    "messaging.system": "servicebus",
                    "messaging.operation.type": "process",
                    "messaging.destination.name": queue,
                    "messaging.message.id": message_id,
                    **({} if run_id is None else {"framebrush.run": run_id}),
                },
            ):
                yield
        finally:
            _run.reset(token)

    def carried(self) -> dict[str, str]:
        """See :func:`framebrush.tracing.carried`."""
        properties = dict[str, str]()
        _context.inject(properties)
        return properties

    def record(self, facts: Mapping[str, object], error: str | None) -> dict[str, str]:
        """See :func:`framebrush.tracing.record`."""
        span = get_current_span()
        ids = span.get_span_context()
        if not ids.is_valid:
            return {}
        if isinstance(step := facts.get("step"), str):
            span.update_name(step)
        _attribute(span, "framebrush", facts)
        if error is not None:
            span.set_status(StatusCode.ERROR, error)
        return {"trace": format_trace_id(ids.trace_id), "span": format_span_id(ids.span_id)}


def _attribute(span: Span, name: str, fact: object) -> None:
    if isinstance(fact, Mapping):
        for part, value in fact.items():
            _attribute(span, f"{name}.{part}", value)
    else:
        span.set_attribute(name, fact if isinstance(fact, bool | int | float | str) else str(fact))
