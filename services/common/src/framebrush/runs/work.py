"""The steps of a run: each is done while the run wants it, and leaves nothing behind once the run was cleared up.

A message may come late: after a crash it comes again, and a pod that was frozen goes on when others have done its work.
So whoever works for a run looks at it again afterwards. If the run has succeeded meanwhile, its frames are gone, and
what this step wrote goes too. The step that ends the run clears up in the same way.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from framebrush.contracts import Message, State
from framebrush.errors import FramebrushError, PermanentError
from framebrush.runs.lifecycle import Runs

M = TypeVar("M", bound=Message)
log = logging.getLogger(__name__)


class Work:
    """Does the steps of runs."""

    def __init__(self, runs: Runs, *, keep_frames: bool) -> None:
        """Do nothing yet.

        Args:
            runs: The runs of the installation.
            keep_frames: Leave frames, styled frames and encoded segments of runs that succeeded.
        """
        self._runs, self._keep_frames = runs, keep_frames

    def step(self, run_id: str, made: Callable[[], Iterable[str]], step: Iterable[M]) -> Iterator[M]:
        """Do a step if the run wants it, and yield its messages.

        Args:
            run_id: The run.
            made: Returns what the names of the blobs begin with that the step makes and that a run needs only until it
                succeeds. It is called once the run is known to exist.
            step: A generator that does the step; it is not started if the run does not want it.

        Raises:
            PermanentError: What the step raised, if the run has not ended meanwhile.
            BaseException: What else the step raised.
        """
        if self._runs.active(run_id):
            try:
                yield from step
            except PermanentError as error:  # as of a blob that was deleted when the run was cleared up
                if self._runs.active(run_id):
                    raise
                log.info("the run has ended meanwhile: %s", error)
            except BaseException:
                with suppress(FramebrushError):  # what ended the step tells what becomes of its message
                    self._clear(run_id, made)
                raise
        self._clear(run_id, made)

    def _clear(self, run_id: str, made: Callable[[], Iterable[str]]) -> None:
        if self._keep_frames or self._runs.state(run_id) is not State.SUCCEEDED:
            return
        for prefix in made():
            found = [blob.ref for blob in self._runs.store.list(self._runs.container, prefix)]
            self._runs.store.delete(found)
