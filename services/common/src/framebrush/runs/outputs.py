"""The outputs of runs: no two runs share an output, and no run replaces a blob of others."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from framebrush.contracts import BlobRef, OutputClaim, State
from framebrush.errors import BlobNotFound, Conflict, OutputTaken
from framebrush.runs.attempts import attempts
from framebrush.runs.lifecycle import Runs
from framebrush.storage import BlobReader, write_once

OUTPUT_OF = "framebrush_run"
"""The key of an output's metadata that names the run that wrote it."""
COMPARED = 2**20
"""The number of bytes that are compared at a time."""


class Outputs:
    """Claims and writes outputs. Before it is planned, a run claims each name by a blob in the work container."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def choose(self, run_id: str, wanted: Sequence[BlobRef], *, requested: bool) -> tuple[BlobRef, ...]:
        """Claim the names of a run's outputs.

        Args:
            run_id: The run.
            wanted: The names that the outputs would have if there were no other run.
            requested: Whether a person asked for these names. Otherwise all of them get twelve digits of the run if
                one of them is taken.

        Returns:
            The names that the run has, in the same order.

        Raises:
            OutputTaken: A name belongs to another run, or a blob of this name is not the run's.
        """
        try:
            return self._claim_all(run_id, wanted, replace=requested)
        except OutputTaken:
            if requested:
                raise
            return self._claim_all(run_id, [_with_digits(output, run_id) for output in wanted], replace=False)

    def claim(self, run_id: str, output: BlobRef) -> None:
        """Claim a name, which the run may have claimed before.

        Raises:
            OutputTaken: It belongs to another run that goes on, or has succeeded and has its output.
        """
        self._claim(run_id, output, replace=True)

    def write(self, run_id: str, output: BlobRef, file: BinaryIO) -> None:
        """Write an output, unless the run has written it before.

        Raises:
            OutputTaken: There is another blob of this name.
        """
        store = self._runs.store
        if write_once(store, output, file, metadata={OUTPUT_OF: run_id}):
            return
        info = store.stat(output)
        if info.metadata.get(OUTPUT_OF) == run_id:
            return
        file.seek(0)
        there = BlobReader(store, output, info.size, info.etag)  # Stitchers of version 0.1 named no run.
        while (part := file.read(COMPARED)) == there.read(COMPARED):
            if not part:
                return
        raise _taken(output, info.metadata.get(OUTPUT_OF))

    def write_page(self, run_id: str, output: BlobRef, file: BinaryIO) -> None:
        """Write the page that reports on a run beside its first output, unless the run has written it before.

        Raises:
            OutputTaken: There are other blobs of both names that it may have.
        """
        plain, numbered = _pages(output, run_id)
        try:
            self.write(run_id, plain, file)
        except OutputTaken:
            file.seek(0)
            self.write(run_id, numbered, file)

    def page(self, run_id: str, output: BlobRef) -> BlobRef | None:
        """Return the page that reports on a run, whose first output this is; None if there is none."""
        for ref in _pages(output, run_id):
            try:
                if self._runs.store.stat(ref).metadata.get(OUTPUT_OF) == run_id:
                    return ref
            except BlobNotFound:
                continue
        return None

    def _claim_all(self, run_id: str, outputs: Sequence[BlobRef], *, replace: bool) -> tuple[BlobRef, ...]:
        try:
            for output in outputs:
                self._claim(run_id, output, replace=replace)
                self._check_free(run_id, output)
        except OutputTaken:
            self._release(run_id, outputs)
            raise
        return tuple(outputs)

    def _claim(self, run_id: str, output: BlobRef, *, replace: bool) -> None:
        store, ref = self._runs.store, self._blob(output)
        claim = OutputClaim(run_id=run_id, output=output).encode()
        for _ in attempts(ref):
            if write_once(store, ref, claim):
                return
            try:
                etag = store.stat(ref).etag
                found = OutputClaim.decode(store.read(ref, etag=etag))
                if found.run_id == run_id:
                    return
                if not (replace and self._is_given_up(found)):
                    raise _taken(found.output, found.run_id)
                store.write(ref, claim, if_match=etag)
                return
            except (BlobNotFound, Conflict):
                continue

    def _is_given_up(self, claim: OutputClaim) -> bool:
        """Return whether a claim is free again: its run failed or was cancelled, or the output was deleted."""
        state = self._runs.state(claim.run_id)
        if state is State.SUCCEEDED:
            return not self._runs.exists(claim.output)
        return state is None or state.ended

    def _check_free(self, run_id: str, output: BlobRef) -> None:
        try:
            owner = self._runs.store.stat(output).metadata.get(OUTPUT_OF)
        except BlobNotFound:
            return
        if owner != run_id:
            raise _taken(output, owner)

    def _release(self, run_id: str, outputs: Iterable[BlobRef]) -> None:
        store = self._runs.store
        for ref in map(self._blob, outputs):
            try:
                if OutputClaim.decode(store.read(ref)).run_id == run_id:
                    store.delete([ref])
            except BlobNotFound:
                continue

    def _blob(self, output: BlobRef) -> BlobRef:
        """Return the blob of a claim. All names that some file system takes for the same share one blob."""
        name = unicodedata.normalize("NFC", f"{output.container}/{output.name}".replace("\\", "/")).casefold()
        plain = re.sub(r"\.+(?=/|$)", "", re.sub("/{2,}", "/", name))
        return BlobRef(
            container=self._runs.container, name=f"outputs/{hashlib.sha256(plain.encode()).hexdigest()}.json"
        )


def _taken(output: BlobRef, owner: str | None) -> OutputTaken:
    whose = f"belongs to the run {owner}" if owner else "exists already, and no run's"
    return OutputTaken(f"{output} {whose}: name another output")


def _with_digits(output: BlobRef, run_id: str) -> BlobRef:
    """Return the name with the twelve digits at the end of a derived run id, or with twelve of the id's own hash."""
    match = re.search(r"-([0-9a-f]{12})$", run_id)
    digits = match[1] if match else hashlib.sha256(run_id.encode()).hexdigest()[:12]
    path = PurePosixPath(output.name)
    return output.model_copy(update={"name": f"{output.name.removesuffix(path.suffix)}.{digits}{path.suffix}"})


def _pages(output: BlobRef, run_id: str) -> list[BlobRef]:
    """Return the names that a run's page may have: that of the output, and the same with twelve digits of the run."""
    suffix = PurePosixPath(output.name).suffix
    return [
        each.model_copy(update={"name": f"{each.name.removesuffix(suffix)}.report.html"})
        for each in (output, _with_digits(output, run_id))
    ]
