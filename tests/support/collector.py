"""A collector of traces: what an OpenTelemetry collector receives by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it was received, its ids in hexadecimal digits."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    """The parent's id, empty for a root."""
    links: tuple[str, ...]
    """The ids of the spans that it is linked to."""
    message: str
    """The id of the message."""
    nanoseconds: int


@dataclass
class Collector:
    """Where spans go, and what has come."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)

    def receive(self, path: str, body: bytes) -> None:
        """Keep the spans of a request."""
        assert path == "/v1/traces"
        for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: each.value.string_value for each in of_process.resource.attributes}
            for span in (span for scope in of_process.scope_spans for span in scope.spans):
                attributes = {each.key: each.value.string_value for each in span.attributes}
                self.spans.append(
                    Span(
                        service=resource["service.name"],
                        name=span.name,
                        trace=span.trace_id.hex(),
                        span=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        links=tuple(link.span_id.hex() for link in span.links),
                        message=attributes["messaging.message.id"],
                        nanoseconds=span.end_time_unix_nano - span.start_time_unix_nano,
                    )
                )


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.receive(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
