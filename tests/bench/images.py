"""``make bench-images``: what the images weigh and how soon they work; a section of ``docs/benchmarks.md``.

Containers share the host's network with the broker and Azurite, which run beside them as processes.
"""

import argparse
import re
import statistics
import subprocess
import time
import urllib.error
import urllib.request
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import machine, say
from processes import wait_for
from report import DOCS, load, write
from runs import Bench, bench

from framebrush.contracts import BatchReady, BatchScored, FrameRange, Message, PackReady, SegmentPlanned
from framebrush.messaging import MessageSender, connect
from framebrush_cli.local import free_ports

RUN, FRAMES = "nobody", FrameRange(first=0, count=1)
FIRST: dict[str, Message] = {
    "dispatcher": PackReady(run_id=RUN, segment=0, frames=FRAMES, offsets=(0, 1024)),
    "splitter": SegmentPlanned(run_id=RUN, segment=0),
    "stitcher": BatchScored(run_id=RUN, segment=0, frames=FRAMES),
    "scorer": BatchReady(run_id=RUN, segment=0, frames=FRAMES, pack=FRAMES, start=0, length=1024),
}
"""Messages of no run: they are passed over as soon as a service is able to, so that no work is in the time."""
HANDLED = re.compile(r'^framebrush_messages_total{outcome="completed".*} ([1-9].*)$', re.MULTILINE)
IMPORT = re.compile(r"^import time: +(\d+) \| +\d+ \| *([\w.]+)$", re.MULTILINE)


def docker(*arguments: str) -> str:
    """What a docker command prints; ends the process with its complaint if it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


class Container:
    """A service that has just been started."""

    def __init__(self, name: str, image: str, environment: dict[str, str]) -> None:
        [port] = free_ports(1)
        self._url = f"http://127.0.0.1:{port}"
        variables = {**environment, "FRAMEBRUSH_HTTP_HOST": "127.0.0.1", "FRAMEBRUSH_HTTP_PORT": str(port)}
        options = [option for item in variables.items() for option in ("--env", "=".join(item))]
        limits = ["--network", "host", "--read-only", "--tmpfs", "/tmp"]  # as in a pod
        self._id = docker("create", *limits, *options, image)
        docker("start", self._id)
        began = docker("inspect", "--format", "{{.State.StartedAt}}", self._id)
        self._began = datetime.fromisoformat(f"{began[:26].rstrip('Z')}+00:00").timestamp()
        self.name, self.ready, self.handled = name, 0.0, 0.0

    def watch(self) -> None:
        """Measure the seconds until it is ready, and until it has handled a message; a TimeoutError after 2 minutes."""

        def both() -> bool:
            self.ready = self.ready or (self._age() if self._get("/readyz") else 0.0)
            self.handled = self.handled or (self._age() if HANDLED.search(self._get("/metrics")) else 0.0)
            return bool(self.ready and self.handled)

        wait_for(both, f"the {self.name} to handle a message", 120, step=0.02)

    def log(self) -> str:
        """Everything it has written so far."""
        done = subprocess.run(["docker", "logs", self._id], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def end(self) -> None:
        """Kill and remove it."""
        docker("rm", "--force", self._id)

    def _age(self) -> float:
        return time.time() - self._began

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self._url + path, timeout=2) as answer:
                return str(answer.read().decode())
        except (OSError, urllib.error.HTTPError):
            return ""


def size(image: str) -> dict[str, float]:
    """Megabytes (10^6 bytes) of the files, and of the same compressed, which is what a node pulls."""
    compressor, packed = zlib.compressobj(6, wbits=31), 0
    container = docker("create", image)
    with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
        assert export.stdout is not None
        while block := export.stdout.read(1 << 20):
            packed += len(compressor.compress(block))
    docker("rm", container)
    packed += len(compressor.flush())
    return {"megabytes": int(docker("image", "inspect", "--format", "{{.Size}}", image)) / 1e6, "packed": packed / 1e6}


def start(stand: Bench, name: str, image: str, **environment: str) -> Container:
    """A container that has handled its first message; end it."""
    generation = time.time_ns() // 10**6 % 2**31  # each message has an id of its own
    with connect(stand.settings) as client, MessageSender(client) as sender:
        sender.send(FIRST[name].model_copy(update={"generation": generation}))
    container = Container(name, image, {**stand.parts.stack.environment, **environment})
    container.watch()
    return container


def imports(log: str) -> dict[str, float]:
    """Seconds that importing took, by the packages that take longest, from Python's own account."""
    times = Counter[str]()
    for micros, module in IMPORT.findall(log):
        times[module.partition(".")[0]] += int(micros)
    return {"all": sum(times.values()) / 1e6} | {name: micros / 1e6 for name, micros in times.most_common(4)}


def measure(tag: str, times: int, services: Sequence[str]) -> dict[str, Any]:
    """Every figure of the section."""
    found = dict[str, Any]()
    with bench() as stand:
        for name in services:
            image = f"framebrush/{name}:{tag}"
            say(f"{image}: start-up")
            ready, handled = list[float](), list[float]()
            for _ in range(times + 1):  # the first one warms caches
                container = start(stand, name, image)
                ready.append(container.ready)
                handled.append(container.handled)
                container.end()
            container = start(stand, name, image, PYTHONPROFILEIMPORTTIME="1")
            found[name] = {
                "ready": statistics.median(ready[1:]),
                "handled": statistics.median(handled[1:]),
                "imports": imports(container.log()),
            }
            container.end()
    for name, figures in found.items():
        say(f"framebrush/{name}:{tag}: megabytes")
        figures |= size(f"framebrush/{name}:{tag}")
    return {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "services": found}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--times", type=int, default=3, help="starts of each image, of which the median counts")
    parser.add_argument("--services", nargs="+", choices=list(FIRST), default=list(FIRST))
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder of benchmarks.json and benchmarks.md")
    options = parser.parse_args()
    result = measure(options.tag, options.times, options.services)
    say(f"written: {write(load(options.output) | {'images': result}, options.output)}")


if __name__ == "__main__":
    main()
