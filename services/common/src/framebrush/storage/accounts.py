"""The storage accounts of an installation, and which container is in which."""

from typing import Any

from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient, LinearRetry
from pydantic import SecretStr

from framebrush.contracts import BlobRef
from framebrush.storage.settings import StorageSettings
from framebrush.storage.transport import WatchedTransport

BLOCK = 8 * 2**20
"""The size of a block in bytes. It is above 4 MiB, where Azure's high-throughput path begins."""


class Accounts:
    """One account with all containers; or one with films, and one with what is the system's.

    Many threads may use them: the SDK's clients of an account share one pool of connections.
    """

    def __init__(self, settings: StorageSettings) -> None:
        """Make the clients. Nothing is connected yet.

        Raises:
            ValueError: A connection string is malformed.
        """
        self._settings = settings
        self._films = _client(settings.storage_connection_string, settings.storage_account_url)
        self._system = self._films
        if settings.system_containers:
            self._system = _client(settings.system_storage_connection_string, settings.system_storage_account_url)

    def of(self, container: str) -> BlobServiceClient:
        """Return the account that has a container."""
        return self._system if container in self._settings.system_containers else self._films

    def container(self, name: str) -> ContainerClient:
        """Return a container."""
        return self.of(name).get_container_client(name)

    def blob(self, ref: BlobRef) -> BlobClient:
        """Return a blob."""
        return self.of(ref.container).get_blob_client(ref.container, ref.name)

    def sample(self, container: str) -> str:
        """Return the container of the same account by which we see whether that account is open to us at all."""
        own = self._settings
        return own.work_container if self.of(container) is self._system else own.output_container


def _client(secret: SecretStr | None, url: str | None) -> BlobServiceClient:
    """Return the client of an account, by its connection string or else by a sign-in."""
    # The SDK's defaults wait 15 s before the first retry; the worker's own backoff takes over after these.
    options: dict[str, Any] = {
        "retry_policy": LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
        "transport": WatchedTransport(connection_timeout=5, read_timeout=30),
        "max_block_size": BLOCK,
    }
    if secret is not None:
        return BlobServiceClient.from_connection_string(secret.get_secret_value(), **options)
    from azure.identity import DefaultAzureCredential  # It takes half a second, and only here.

    assert url is not None  # noqa: S101 - the settings' validator has seen to it
    return BlobServiceClient(url, credential=DefaultAzureCredential(), **options)
