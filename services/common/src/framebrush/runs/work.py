"""The steps of a run: each is done while the run is active, and leaves nothing behind once the run was cleared up.

A message may come late: after a crash it comes again, and a pod that was frozen goes on when others have done its work.
So a step looks at its run again afterwards. If the run has succeeded or was cancelled meanwhile, its frames are
deleted, and what this step wrote is deleted, too. Who ends the run clears up in the same way. The frames of a run that
failed stay: it may be reopened.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from framebrush.contracts import Message, State
from framebrush.errors import FramebrushError, Interrupt, PermanentError
from framebrush.runs.documents import RunDocuments
from framebrush.runs.lifecycle import Runs

M = TypeVar("M", bound=Message)
log = logging.getLogger(__name__)


class Work:
    """Does the steps of runs, and clears up after steps that come too late."""

    def __init__(self, runs: Runs, *, keep_frames: bool) -> None:
        """Set which runs the steps are of. Nothing is done yet.

        Args:
            runs: The runs of the installation.
            keep_frames: Whether frames, styled frames and encoded segments of runs that succeeded are kept.
        """
        self._runs, self._keep_frames = runs, keep_frames

    def step(self, run_id: str, made: Callable[[], Iterable[str]], step: Iterable[M]) -> Iterator[M]:
        """Do a step if the run is active, and yield the messages of the step.

        Args:
            run_id: The run.
            made: A function that returns prefixes of names: of the blobs that the step makes, and that a run needs only
                until it succeeds. It is called once the run is known to exist.
            step: A generator that does the step. It is not started if the run is not active.

        Raises:
            PermanentError: The step raised it, and the run has not ended meanwhile.
            BaseException: The step raised it.
        """
        try:
            yield from self._step(run_id, made, step)
        except Interrupt:  # It may have come while this cleared up. The next one comes seconds later.
            with suppress(FramebrushError):
                self._clear(run_id, made)
            raise

    def _step(self, run_id: str, made: Callable[[], Iterable[str]], step: Iterable[M]) -> Iterator[M]:
        if self._runs.active(run_id):
            try:
                yield from step
            except PermanentError as error:  # A blob may be missing because the run was cleared up.
                if self._runs.active(run_id):
                    raise
                log.info("the run has ended meanwhile: %s", error)
            except BaseException:  # This includes the end that comes if a message of the step cannot be sent.
                with suppress(FramebrushError):  # The first error tells what becomes of the message.
                    self._clear(run_id, made)
                raise
        self._clear(run_id, made)

    def _clear(self, run_id: str, made: Callable[[], Iterable[str]]) -> None:
        state = self._runs.state(run_id)
        if state is State.CANCELLED or (state is State.SUCCEEDED and not self._keep_frames):
            clear_up(self._runs, made())


def clear_up(runs: RunDocuments, prefixes: Iterable[str]) -> None:
    """Delete the blobs whose names begin with these prefixes. After a crash it is done again, and goes on.

    Storage is asked once for some thousand names, and once for some hundred deletions.
    """
    for prefix in prefixes:
        runs.store.delete([blob.ref for blob in runs.store.list(runs.container, prefix)])
