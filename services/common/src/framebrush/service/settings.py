"""The settings that all services share, as one table; ``docs/operations.md`` lists them."""

from typing import Annotated

from pydantic import Field

from framebrush.contracts import ModelName
from framebrush.messaging import WorkerSettings
from framebrush.storage import StorageSettings


class Settings(StorageSettings, WorkerSettings):
    """What every service and the command line understand."""

    default_model: ModelName = "gouache"
    """The model of a run that names none, as that of a dropped blob."""
    keep_frames: bool = False
    """Whether frames, styled frames and encoded segments of runs that succeeded are kept. All services must agree."""
    metrics_linger: Annotated[float, Field(ge=0)] = 0.0
    """The longest time, in seconds, for which a drained service waits for its last counts to be read from /metrics."""
    http_host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the pod
    """The address of /metrics, /livez and /readyz."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    """The port of /metrics, /livez and /readyz; 0 picks a free one."""
    run_logs: bool = True
    """Whether the log lines of runs are copied to the logs container."""
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    """The lowest level that is logged: DEBUG, INFO, WARNING or ERROR."""
