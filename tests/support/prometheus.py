"""Asking a Prometheus; and one that knows again what another one knew of a run."""

import gzip
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode

from framebrush_cli.local.plan import free_ports

Series = list[dict[str, Any]]
"""As Prometheus answers: ``metric``, and ``values``, pairs of Unix time and text, or one ``value``."""

SCRAPE = 5.0
"""Seconds between two scrapes: k8s/prometheus."""
KEPT = "framebrush_.+|keda_scaled?.+|process_(cpu|resident|start).+|up"
"""What a recording holds: what dashboards and alerts may ask for."""
BEFORE = 60.0
"""Seconds before its start that a recording holds too, for rates."""


class Prometheus:
    """A Prometheus at a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: object) -> Series:
        """The series that it answers to a query."""
        url = f"{self.url}/api/v1/{path}?{urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            document = json.load(answer)
        assert document["status"] == "success"
        assert not document.get("warnings"), document["warnings"]
        return list(document["data"]["result"])


@dataclass(frozen=True)
class Recording:
    """All samples of a run."""

    start: float
    """Of the run, in Unix time."""
    end: float
    samples: Series

    def write(self, path: Path) -> None:
        """As compressed JSON; the same recording gives the same bytes."""
        path.write_bytes(gzip.compress(json.dumps(asdict(self)).encode(), mtime=0))

    @classmethod
    def read(cls, path: Path) -> "Recording":
        """What was written."""
        return cls(**json.loads(gzip.decompress(path.read_bytes())))


def record(prometheus: Prometheus, start: float, end: float) -> Recording:
    """What a Prometheus knows of the time from ``start`` to ``end``, in Unix time."""
    found = prometheus.ask("query", query=f'{{__name__=~"{KEPT}"}}[{end - start + BEFORE:.0f}s]', time=end)
    return Recording(start, end, [each for each in found if not each["metric"]["__name__"].endswith("_created")])


@contextmanager
def replayed(samples: Series) -> Iterator[Prometheus]:
    """A real Prometheus, on a free port of this machine, that knows these samples.

    A recording does not tell when a target went away, so a sample counts until the next scrape should have come,
    instead of for five minutes.

    Raises:
        RuntimeError: promtool or prometheus is missing, or does not start.
    """
    for program in ("promtool", "prometheus"):
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is missing: it is in Debian's package prometheus")
    with tempfile.TemporaryDirectory() as name:
        folder, [port] = Path(name), free_ports(1)
        text, config, log = folder / "samples", folder / "prometheus.yml", folder / "log"
        text.write_text("".join(_lines(samples)) + "# EOF\n")
        config.write_text("")
        create = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, folder / "data"]
        done = subprocess.run(create, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"promtool takes no samples: {done.stderr}")
        with log.open("w") as output:
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    "--storage.tsdb.retention.time=100y",
                    f"--query.lookback-delta={1500 * SCRAPE:.0f}ms",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=output,
                stderr=output,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, f"{url}/-/ready", log)
            yield Prometheus(url)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _lines(samples: Series) -> Iterator[str]:
    """Samples in the format of OpenMetrics, in which all series of a name stand together."""
    for series in sorted(samples, key=lambda series: str(series["metric"]["__name__"])):
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in series["metric"].items() if name[0] != "_")
        for when, value in series["values"]:
            yield f"{series['metric']['__name__']}{{{labels}}} {value} {when}\n"


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"prometheus does not start: {log.read_text()[-1000:]}")
