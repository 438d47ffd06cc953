"""Handles the queue ``learnings``: begins jobs, and goes on with them."""

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from framebrush.contracts import (
    Failure,
    Incoming,
    LearningState,
    LearningTurn,
    LearnRequest,
    LibraryStyle,
    Message,
)
from framebrush.errors import AccessDenied, Conflict, PermanentError
from framebrush.sandbox import Sandbox
from framebrush.storage import Store
from framebrush.styles import LearningJobs, Library
from framebrush_scorer.settings import LearnerSettings

if TYPE_CHECKING:
    from framebrush_scorer.learning.session import Session
    from framebrush_scorer.training import Trainer

log = logging.getLogger(__name__)


class Ended(Exception):
    """The job was ended from outside."""


class Learner:
    """Learns styles, one message at a time. The training of the last message stays in memory for the next."""

    def __init__(self, store: Store, settings: LearnerSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._jobs = LearningJobs(store, settings.styles_container)
        self._library = Library(store, settings.styles_container)
        self._session: Session | None = None

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Do one step, and yield the messages that follow from it."""
        match message:
            case LearnRequest():
                yield from self._begin(message)
            case LearningTurn():
                yield from self._go_on(message)
            case _:
                raise TypeError(f"not for the learner: {type(message).__name__}")

    def _begin(self, request: LearnRequest) -> Iterator[LearningTurn]:
        """Begin a job, unless it has begun.

        Raises:
            AccessDenied: The request names content of another container than that of inputs.
            BlobNotFound: The picture or the content does not exist.
        """
        for ref in request.content:  # before anything of another container is looked at
            if ref.container != self._settings.input_container:
                raise AccessDenied(f"{ref}: what is learned on is in {self._settings.input_container}")
        job = self._jobs.resolve(request)
        self._jobs.create(job)
        if not self._jobs.status(job.job).state.ended:
            yield LearningTurn(job=job.job, turn=0)

    def _go_on(self, message: LearningTurn) -> Iterator[LearningTurn]:
        state = self._jobs.status(message.job).state
        if state.ended:
            log.info("the learning job %s has ended already", message.job)
            if state is LearningState.SUCCEEDED:  # The learner may have been killed before it did this.
                self._store.delete([self._jobs.ref(message.job, "checkpoint")])
            return
        try:
            session = self._take(message.job)
            done = session.run(self._settings.learn_turn, lambda trainer: self._say(session, trainer))
            if done:
                self._finish(session)
        except Conflict:
            log.info("another process goes on with the learning job %s", message.job)
            self._drop()
            return
        except Ended:
            log.info("the learning job %s was ended", message.job)
            self._drop()
            return
        except PermanentError as error:
            self._drop()
            failure = Failure(reason=error.reason, description=str(error))
            self._jobs.update(message.job, state=LearningState.FAILED, error=failure)
            log.warning("the learning job %s failed: %s", message.job, error)
            return
        except BaseException as error:
            self._drop()  # An interrupt may have come within a step, whose half must not be built upon.
            if isinstance(error, Exception):
                from framebrush_scorer.device import check_device

                check_device(error)
            raise
        if done:
            self._drop()
        else:
            yield LearningTurn(job=message.job, turn=message.turn + 1)

    def _take(self, job: str) -> "Session":
        """The session of a job, from its newest checkpoint on."""
        from framebrush_scorer.learning.session import Session

        if self._session is None or self._session.job.job != job or not self._session.fresh():
            self._drop()
            self._session = Session(self._jobs.job(job), self._store, self._settings, self._sandbox)
        return self._session

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None

    def _say(self, session: "Session", trainer: "Trainer") -> None:
        """Say in Blob how far the job is, and show a preview.

        Raises:
            Ended: The job was ended meanwhile.
        """
        job = session.job.job
        self._store.write(self._jobs.ref(job, "preview.png"), session.out.with_suffix(".png").read_bytes())
        loss = trainer.losses[-1] if trainer.losses else None
        seconds = round(trainer.elapsed, 1)
        if self._jobs.update(job, step=trainer.step, seconds=seconds, loss=loss).state.ended:
            raise Ended

    def _finish(self, session: "Session") -> None:
        """Add the style to the library. If this is done twice, it is the same style."""
        request, card = session.job.request, session.trainer.card()
        weights = session.out.read_bytes()
        digest = hashlib.sha256(weights).hexdigest()
        style = LibraryStyle(
            name=request.name, digest=digest, size=len(weights), added=datetime.now(UTC), title=card.title,
            natural_edge=card.natural_edge, strokes=card.strokes, preview=True, card=card.model_dump_json(),
        )  # fmt: skip
        self._library.add(style, weights, session.out.with_suffix(".png").read_bytes())
        self._jobs.update(session.job.job, state=LearningState.SUCCEEDED, digest=digest)
        self._store.delete([self._jobs.ref(session.job.job, "checkpoint")])
        log.info("learned %s", request.name, extra={"data": {"style": request.name, "digest": digest}})
