"""The settings of storage."""

from typing import Self

from pydantic import SecretStr, model_validator

from framebrush.environment import Containers


class StorageSettings(Containers):
    """The settings that say where the blobs are."""

    storage_connection_string: SecretStr | None = None
    """Connection string of the storage account; without it the account URL and Azure's default credential are used."""
    storage_account_url: str | None = None
    """The URL of the storage account, for instance ``https://ACCOUNT.blob.core.windows.net``."""

    @model_validator(mode="after")
    def _storage_is_named(self) -> Self:
        if self.storage_connection_string is None and self.storage_account_url is None:
            raise ValueError("set FRAMEBRUSH_STORAGE_ACCOUNT_URL or FRAMEBRUSH_STORAGE_CONNECTION_STRING")
        return self
