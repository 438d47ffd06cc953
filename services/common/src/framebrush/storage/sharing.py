"""Links to one blob for a short time, for people who have no role on the storage account.

Such a link is a shared access signature that is made with a user delegation key: with the rights of whoever asks, by
Microsoft Entra. It works as long as these rights do, and storage logs who made it. No account key takes part.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from azure.core.exceptions import AzureError

from framebrush.contracts import BlobRef
from framebrush.errors import FramebrushError, Unfit, first_line, refusal

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

SKEW = timedelta(minutes=5)
"""The clocks of storage and of this machine may differ by so much."""
LONGEST = timedelta(days=7)
"""The longest life of a user delegation key."""


def link(service: "BlobServiceClient", ref: BlobRef, may: Literal["read", "create"], lasts: timedelta) -> str:
    """Return a URL by which anybody may read a blob, or create it where there is none.

    Args:
        service: The storage account, with a sign-in of Microsoft Entra.
        ref: The blob.
        may: What the link is good for.
        lasts: How long it works, at most :data:`LONGEST`.

    Raises:
        Unfit: Storage does not let us make such links.
        Unavailable: Storage does not answer.
        FramebrushError: Storage refuses for another reason.
        ValueError: The time is too long, or it is none.
    """
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    if not timedelta(0) < lasts <= LONGEST:
        raise ValueError(f"a link lasts {LONGEST.days} days at most")
    begin = datetime.now(UTC) - SKEW
    end = begin + SKEW + lasts
    try:
        key = service.get_user_delegation_key(begin, end)
    except AzureError as error:
        raise _refused(error) from error
    signature = generate_blob_sas(
        account_name=str(service.account_name),
        container_name=ref.container,
        blob_name=ref.name,
        user_delegation_key=key,
        permission=BlobSasPermissions(read=may == "read", create=may == "create"),
        start=begin,
        expiry=end,
        protocol="https",
    )
    return f"{service.get_blob_client(ref.container, ref.name).url}?{signature}"


def _refused(error: AzureError) -> FramebrushError:
    found = refusal(getattr(error, "status_code", None), f"storage: {first_line(error)}")
    if isinstance(found, Unfit):
        return Unfit(f"{found}: links need the role Storage Blob Delegator, beside that for the blob")
    return found
