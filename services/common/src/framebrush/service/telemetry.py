"""Logs as JSON lines, and the metrics that all services share."""

import json
import logging
import os
import sys
from datetime import UTC, datetime

from prometheus_client import Counter

from framebrush.messaging import current_run

frames_in = Counter("framebrush_frames_in_total", "Frames taken in by this service.")
frames_out = Counter("framebrush_frames_out_total", "Frames given out by this service.")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, service, pod, run, message, and what ``extra={"data": {…}}`` adds."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service, self._pod = service, os.uname().nodename

    def format(self, record: logging.LogRecord) -> str:
        """Return a log record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "pod": self._pod,
            "run": current_run(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "data", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(service: str, level: str) -> None:
    """Send all logs to standard output, from this level on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
