"""Run the broker as a child process, for tests."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

START_TIMEOUT_S = 20


class BrokerProcess:
    """A broker that can be stopped, killed and started again on the same ports and data file."""

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._arguments = [*arguments]
        self._process: subprocess.Popen[str] | None = None
        self.ports: dict[str, int] = {}
        """Ports by scheme: amqp and http, with a certificate also amqps and https."""

    @property
    def pid(self) -> int:
        """The child's process id."""
        assert self._process, "the broker is not running"
        return self._process.pid

    @property
    def connection_string(self) -> str:
        """For ServiceBusClient."""
        return _connection_string("127.0.0.1", self.ports["amqp"]) + ";UseDevelopmentEmulator=true"

    @property
    def admin_url(self) -> str:
        """The admin API over HTTP."""
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def admin_connection_string(self) -> str:
        """For ServiceBusAdministrationClient, which speaks HTTPS only; needs a certificate for localhost."""
        return _connection_string("localhost", self.ports["https"])

    def start(self) -> None:
        """Start, and wait until it is ready. Raises RuntimeError with its last words when it ends instead."""
        flags = {"amqp": "--port", "http": "--admin-port", "amqps": "--tls-port", "https": "--admin-tls-port"}
        ports = [f"{flag}={self.ports.get(scheme, 0)}" for scheme, flag in flags.items()]
        command = [sys.executable, "-m", "framebrush_broker", *self._arguments, *ports]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=None, text=True)
        assert process.stdout
        watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
        watchdog.start()
        line = process.stdout.readline()
        watchdog.cancel()
        process.stdout.close()
        if not line.startswith("ready "):
            raise RuntimeError(
                f"the broker ended with status {process.wait()} before it was ready: {' '.join(command)}"
            )
        self._process = process
        self.ports = {scheme: int(port) for scheme, port in (word.split("=") for word in line.split()[1:])}

    def stop(self) -> int:
        """End it with SIGTERM; return its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again after `stop` or `kill`, on the same ports."""
        self.start()

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@contextlib.contextmanager
def running_broker(
    queues: Sequence[str] = (), *, arguments: Sequence[str] = (), data: Path | None = None
) -> Iterator[BrokerProcess]:
    """Run a broker on free ports with `queues` declared; `arguments` are further command-line flags."""
    flags = [f"--queue={name}" for name in queues] + ([f"--data={data}"] if data else [])
    broker = BrokerProcess([*flags, *arguments])
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def _connection_string(host: str, port: int) -> str:
    return f"Endpoint=sb://{host}:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=anything"
