"""The settings of storage."""

from typing import Annotated, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, model_validator

from framebrush.environment import Containers


def _names_a_host(url: str) -> str:
    """Without this, such a mistake would come to light as a sign-in that fails. The text does not repeat the value."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("must be the URL of a storage account, such as https://ACCOUNT.blob.core.windows.net")
    return url


AccountUrl: TypeAlias = Annotated[str, AfterValidator(_names_a_host)]


class StorageSettings(Containers):
    """The settings that say where the blobs are.

    Films may be in an account of their own, in which callers have rights. Then what is between input and output is in
    the account of the system, where they have none.
    """

    storage_connection_string: SecretStr | None = None
    """Connection string of the storage account; without it the account URL and Azure's default credential are used."""
    storage_account_url: AccountUrl | None = None
    """The URL of the storage account, for instance ``https://ACCOUNT.blob.core.windows.net``."""
    system_storage_connection_string: SecretStr | None = None
    """Connection string of the system's account, which has the containers of work, styles and logs."""
    system_storage_account_url: AccountUrl | None = None
    """The URL of the system's account. Without both, one account has all containers."""

    @property
    def system_containers(self) -> frozenset[str]:
        """Return the containers of the system's account, which are none if one account has all.

        All others, with those that requests name beside ours, are in the account of the films.
        """
        if self.system_storage_connection_string is None and self.system_storage_account_url is None:
            return frozenset()
        return frozenset({self.work_container, self.styles_container, self.logs_container})

    @model_validator(mode="after")
    def _storage_is_named(self) -> Self:
        if self.storage_connection_string is None and self.storage_account_url is None:
            raise ValueError("set FRAMEBRUSH_STORAGE_ACCOUNT_URL or FRAMEBRUSH_STORAGE_CONNECTION_STRING")
        if self.system_containers:
            keyed = self.storage_connection_string is not None, self.system_storage_connection_string is not None
            if keyed[0] != keyed[1]:
                raise ValueError("reach both storage accounts by connection strings, or both by their URLs")
            own = {self.input_container, self.output_container}
            if both := own & self.system_containers:
                raise ValueError(f"the container {min(both)} cannot be in both storage accounts")
        return self
