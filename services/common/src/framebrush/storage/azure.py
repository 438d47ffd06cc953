"""Azure Blob storage behind :class:`framebrush.storage.Store`."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from http import HTTPStatus
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, BinaryIO, Literal

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContainerClient
from prometheus_client import Counter

from framebrush.contracts import BlobRef
from framebrush.errors import AccessDenied, BlobNotFound, Conflict, Unfit, first_line, refusal
from framebrush.steps import timed
from framebrush.storage.accounts import Accounts
from framebrush.storage.settings import StorageSettings
from framebrush.storage.sharing import link
from framebrush.storage.store import BlobInfo

_bytes = Counter("framebrush_blob_bytes_total", "Bytes read from and written to Blob storage.", ["direction"])
_read, _written = _bytes.labels("read"), _bytes.labels("written")

PAGE, BATCH = 5000, 256
"""The most names in a page of a listing, and the most deletions in one request, that Azure has."""
UPLOADS = 8
"""The connections over which a file is written, a block of some megabytes at a time each."""


class AzureBlobs:
    """The blobs of an installation, whichever storage account they are in. Many threads may use it."""

    def __init__(self, settings: StorageSettings) -> None:
        self._accounts = Accounts(settings)
        self._work = settings.work_container
        self._by_key = settings.storage_connection_string is not None
        self._own = {settings.work_container, settings.output_container}

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        """See :meth:`framebrush.storage.Store.read`."""
        client = self._accounts.blob(ref)
        with timed("read"), self._translated(ref):
            # An empty blob has no bytes, so it has no range from 0 either.
            offset = None if start == 0 and length is None else start
            data: bytes = client.download_blob(offset, length, **_matching(etag)).readall()
        _read.inc(len(data))
        return data

    def write(
        self,
        ref: BlobRef,
        data: bytes | BinaryIO,
        *,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        """See :meth:`framebrush.storage.Store.write`."""
        client = self._accounts.blob(ref)
        with timed("write"), self._translated(ref):
            result = client.upload_blob(
                data,
                overwrite=not if_absent,
                metadata=dict(metadata) if metadata else None,
                max_concurrency=1 if isinstance(data, bytes) else UPLOADS,
                **_matching(if_match),
            )
        _written.inc(len(data) if isinstance(data, bytes) else data.tell())
        return str(result["etag"])

    def append(self, ref: BlobRef, data: bytes) -> None:
        """See :meth:`framebrush.storage.Store.append`."""
        client = self._accounts.blob(ref)
        with self._translated(ref):
            try:
                client.append_block(data)
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) == "ContainerNotFound":
                    raise
                with suppress(ResourceExistsError):  # Another process was faster.
                    client.create_append_blob(match_condition=MatchConditions.IfMissing)
                client.append_block(data)
            except HttpResponseError as error:
                if getattr(error, "error_code", None) == "BlockCountExceedsLimit":
                    raise Conflict(f"{ref}: takes no more") from error
                raise
        _written.inc(len(data))

    def stat(self, ref: BlobRef) -> BlobInfo:
        """See :meth:`framebrush.storage.Store.stat`."""
        with self._translated(ref):
            found = self._accounts.blob(ref).get_blob_properties()
        return BlobInfo(ref, found.size, found.etag, found.last_modified, found.metadata or {})

    def list(self, container: str, prefix: str = "") -> Iterator[BlobInfo]:
        """See :meth:`framebrush.storage.Store.list`."""
        client = self._accounts.container(container)
        with self._translated(container):
            for found in client.list_blobs(name_starts_with=prefix, include=["metadata"], results_per_page=PAGE):
                ref = BlobRef(container=container, name=found.name)
                etag = '"' + found.etag.strip('"') + '"'  # Listings leave the quotes out.
                yield BlobInfo(ref, found.size, etag, found.last_modified, found.metadata or {})

    def delete(self, refs: Iterable[BlobRef]) -> None:
        """See :meth:`framebrush.storage.Store.delete`."""
        for container, group in groupby(refs, attrgetter("container")):
            names = (ref.name for ref in group)
            while batch := tuple(islice(names, BATCH)):
                with self._translated(container):
                    self._delete(self._accounts.container(container), batch)

    def _delete(self, client: ContainerClient, names: Iterable[str]) -> None:
        """Delete blobs of one container with one request, where storage takes batches.

        Raises:
            HttpResponseError: Storage refused to delete one of them. The others may be deleted.
        """
        wanted = list(names)
        answers = list(client.delete_blobs(*wanted, raise_on_any_failure=False))
        if any(answer.status_code == HTTPStatus.BAD_REQUEST for answer in answers):
            # Azurite does not understand what is in a batch if it is reached by the name of another host.
            for name in wanted:
                with suppress(ResourceNotFoundError):
                    client.delete_blob(name)
            return
        for answer in answers:
            code = answer.headers.get("x-ms-error-code")
            if answer.status_code != HTTPStatus.ACCEPTED and code != "BlobNotFound":
                error = HttpResponseError(response=answer)
                error.error_code = code  # type: ignore[attr-defined]  # as the SDK does with other answers
                raise error

    def create_containers(self, names: Iterable[str]) -> tuple[str, ...]:
        """Create the containers that do not exist yet; return the names of those that this call created."""
        created: tuple[str, ...] = ()
        for name in names:
            try:
                with self._translated(name):
                    # Look first: whoever may use a container need not have the right to create one.
                    if not self._accounts.container(name).exists():
                        self._accounts.container(name).create_container()
                        created += (name,)
            except Conflict:
                continue
        return created

    def link(self, ref: BlobRef, may: Literal["read", "create"], lasts: timedelta) -> str:
        """Return a URL by which anybody may read a blob, or create it; see :func:`framebrush.storage.sharing.link`.

        Raises:
            Unfit: There is no sign-in, but a connection string; or the sign-in does not let us make such links.
            FramebrushError: Storage does not answer, or refuses.
        """
        if self._by_key:
            raise Unfit(
                "links are made with a sign-in, never with the account's key: use FRAMEBRUSH_STORAGE_ACCOUNT_URL "
                "instead of FRAMEBRUSH_STORAGE_CONNECTION_STRING"
            )
        return link(self._accounts.of(ref.container), ref, may, lasts)

    def ping(self) -> None:
        """See :meth:`framebrush.storage.Store.ping`."""
        self._ping(self._work)

    def _ping(self, container: str) -> None:
        with self._translated(container):
            # List, since whoever may use this one container need not have the right to ask for its properties.
            next(iter(self._accounts.container(container).list_blobs(results_per_page=1)), None)

    @contextmanager
    def _translated(self, ref: BlobRef | str) -> Iterator[None]:
        """Raise the SDK's errors within the block as our own, which name the blob or container.

        Whose fault a refusal is depends on the container. The installation's own containers must exist and be open to
        us: if not, this process is unfit. Whether another container exists and is open to us is a matter of the request
        that names it. An input container that does not exist is such a matter, too.
        """
        container = ref if isinstance(ref, str) else ref.container
        try:
            yield
        except AzureError as error:  # It has no status if there was no connection, no answer or no credential.
            if getattr(error, "error_code", None) in ("ContainerNotFound", "ContainerBeingDeleted"):
                if container in self._own:
                    raise Unfit(f"storage: {ref}: there is no container {container}: create it") from error
                raise BlobNotFound(f"{ref}: no such container") from error
            if isinstance(error, ResourceNotFoundError):
                raise BlobNotFound(f"{ref}: no such blob") from error
            if isinstance(error, ResourceExistsError | ResourceModifiedError):
                raise Conflict(f"{ref}: changed by somebody else") from error
            status = getattr(error, "status_code", None)
            if status == 412:  # Storage also answers so if somebody holds a lease on the blob.
                raise Conflict(f"{ref}: {first_line(error)}") from error
            if status == 403 and container not in self._own and self._has_access(container):
                raise AccessDenied(f"{ref}: {first_line(error)}") from error
            raise refusal(status, f"storage: {ref}: {first_line(error)}") from error

    def _has_access(self, container: str) -> bool:
        """Return whether our credentials are good for the account that has a container."""
        try:
            self._ping(self._accounts.sample(container))
        except Unfit:
            return False
        return True


def _matching(etag: str | None) -> dict[str, Any]:
    """Return the condition as keyword arguments. The SDK does not take None for "no condition"."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
