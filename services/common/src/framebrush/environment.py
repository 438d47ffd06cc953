"""Settings come from ``FRAMEBRUSH_*`` environment variables, and are read once."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from framebrush.contracts import ContainerName, explain

S = TypeVar("S", bound=BaseSettings)


class Environment(BaseSettings):
    """The base of all settings: every field is read from the variable ``FRAMEBRUSH_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="FRAMEBRUSH_", frozen=True, extra="ignore", env_ignore_empty=True)


class Containers(Environment):
    """The names of the blob containers."""

    input_container: ContainerName = "input"
    """The container of inputs. A video that is dropped here starts a run."""
    work_container: ContainerName = "work"
    """The container of manifests, frames and statuses: everything between input and output."""
    output_container: ContainerName = "output"
    """The container of styled videos."""
    styles_container: ContainerName = "styles"
    """The container of style pictures."""

    logs_container: ContainerName = "logs"
    """The container of runs' logs, which outlive the pods that wrote them."""

    @property
    def containers(self) -> tuple[ContainerName, ...]:
        """Return the names of all containers."""
        own = (self.input_container, self.work_container, self.output_container)
        return (*own, self.styles_container, self.logs_container)


def load(cls: type[S]) -> S:
    """Read settings from the environment.

    Raises:
        SystemExit: A variable is missing or malformed. The text is one line that names it.
    """
    try:
        return cls()
    except ValidationError as error:
        raise SystemExit(f"settings: {explain(error, lambda field: f'FRAMEBRUSH_{field.upper()}')}") from None
