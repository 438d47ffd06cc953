"""Uploads a local video into the input container."""

import hashlib
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from framebrush.contracts import SUBMITTED, BlobRef
from framebrush.errors import BlobNotFound, Conflict
from framebrush.storage import BlobInfo, Store
from framebrush_cli.errors import CommandFailed
from framebrush_cli.transfers import progress_bar

DIGEST = "sha256"
"""The key of the metadata that has the digest of the content, so that a file is not uploaded twice."""


def find_input(store: Store, container: str, video: str) -> BlobInfo:
    """Return the input blob for ``video``: a local file, which is uploaded unless it was before, or the name of a blob.

    Raises:
        CommandFailed: There is no such file or blob, or it is empty.
    """
    path = local_file(video)
    return _upload(store, container, path) if path else find_blob(store, container, video)


def local_file(video: str) -> Path | None:
    """Return the file of this computer that is named; None if there is none, so that a blob may be meant.

    Raises:
        CommandFailed: It is empty, or something else than a file.
    """
    path = Path(video)
    if not path.exists():
        return None
    if not path.is_file():
        raise CommandFailed(f"{video} is not a file")
    if path.stat().st_size == 0:
        raise CommandFailed(f"{path} is empty (0 bytes): nothing to style")
    return path


def find_blob(store: Store, container: str, video: str) -> BlobInfo:
    """Return the blob that is named.

    Raises:
        CommandFailed: There is no such blob, or it is empty.
    """
    try:
        info = store.stat(BlobRef(container=container, name=video))
    except (BlobNotFound, ValidationError):  # ./film.mp4 names a file, and can name no blob.
        raise CommandFailed(f"{video}: no such file here, and no such blob in the container {container!r}") from None
    if info.size == 0:
        raise CommandFailed(f"{info.ref} is empty: upload the video again")
    return info


def _upload(store: Store, container: str, path: Path) -> BlobInfo:
    with progress_bar() as progress:
        try:
            with progress.open(path, "rb", description="reading  ") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it has readinto
        except OSError as error:
            raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None
        # Runs read their input as long as they last. So another video with the same name gets a name of its own.
        for name in (path.name, f"{path.stem}-{digest[:12]}{path.suffix}"):
            ref = BlobRef(container=container, name=PurePosixPath(name).name)
            if _content(store, ref) is None:
                try:
                    with progress.open(path, "rb", description="uploading") as file:
                        store.write(ref, file, metadata={DIGEST: digest, SUBMITTED: "true"}, if_absent=True)
                except Conflict:  # Another process was faster, most likely with the same video.
                    pass
            if _content(store, ref) == digest:
                return store.stat(ref)
    raise CommandFailed(f"{container}/{path.name} changes under our hands: try again")


def _content(store: Store, ref: BlobRef) -> str | None:
    """Return the digest of a blob, which is empty if nobody recorded it; None if there is no blob."""
    try:
        return store.stat(ref).metadata.get(DIGEST, "")
    except BlobNotFound:
        return None
