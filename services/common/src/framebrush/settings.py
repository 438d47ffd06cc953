"""Settings: one table, read once from ``FRAMEBRUSH_*`` variables. ``docs/operations.md`` lists them."""

from typing import Annotated, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from framebrush.documents import ContainerName, ModelName, explain

S = TypeVar("S", bound=BaseSettings)


class StorageSettings(BaseSettings):
    """Where the blobs are."""

    model_config = SettingsConfigDict(env_prefix="FRAMEBRUSH_", frozen=True, extra="ignore", env_ignore_empty=True)

    storage_connection_string: SecretStr | None = None
    """Connection string of the storage account; without it the account URL and Azure's default credential are used."""
    storage_account_url: str | None = None
    """For instance ``https://ACCOUNT.blob.core.windows.net``."""
    input_container: ContainerName = "input"
    """Videos dropped here start runs."""
    work_container: ContainerName = "work"
    """Manifests, frames, status: everything between input and output."""
    output_container: ContainerName = "output"
    """Styled videos."""

    @model_validator(mode="after")
    def _storage_is_named(self) -> Self:
        if self.storage_connection_string is None and self.storage_account_url is None:
            raise ValueError("set FRAMEBRUSH_STORAGE_ACCOUNT_URL or FRAMEBRUSH_STORAGE_CONNECTION_STRING")
        return self


class BrokerSettings(BaseSettings):
    """Where the queues are."""

    model_config = StorageSettings.model_config

    servicebus_connection_string: SecretStr | None = None
    """Connection string of the namespace; without it the namespace and Azure's default credential are used."""
    servicebus_namespace: str | None = None
    """For instance ``NAMESPACE.servicebus.windows.net``."""

    @model_validator(mode="after")
    def _namespace_is_named(self) -> Self:
        if self.servicebus_connection_string is None and self.servicebus_namespace is None:
            raise ValueError("set FRAMEBRUSH_SERVICEBUS_NAMESPACE or FRAMEBRUSH_SERVICEBUS_CONNECTION_STRING")
        return self


class Settings(StorageSettings, BrokerSettings):
    """What every service and the command line understand."""

    default_model: ModelName = "gouache"
    """Model of a run that names none, such as a dropped blob."""
    message_timeout: Annotated[float, Field(gt=0)] = 1800.0
    """Seconds that one message may take; the longest is a segment of a video with few keyframes."""
    max_attempts: Annotated[int, Field(ge=1)] = 5
    """Failed attempts after which a message is dead-lettered."""
    drain_grace: Annotated[float, Field(ge=0)] = 30.0
    """Seconds after SIGTERM in which messages in hand are finished; then they are handed back."""
    metrics_linger: Annotated[float, Field(ge=0)] = 0.0
    """Seconds, at most, for which a drained service waits for its last counts to be read from /metrics."""
    http_host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from outside the pod
    """Address of /metrics, /livez and /readyz."""
    http_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    """Port of /metrics, /livez and /readyz; 0 picks a free one."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Messages handled at a time."""
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""


def load(cls: type[S]) -> S:
    """Read settings, or end the process with one line that names the variable."""
    try:
        return cls()
    except ValidationError as error:
        raise SystemExit(f"settings: {explain(error, lambda field: f'FRAMEBRUSH_{field.upper()}')}") from None
