"""The learner's entry point: ``python -m framebrush_scorer.learning``."""

from framebrush.messaging import Handler
from framebrush.service import run_service
from framebrush.storage import Store
from framebrush_scorer.settings import LearnerSettings


def make(settings: LearnerSettings, store: Store) -> Handler:
    """Return the handler of a message. Torch is imported with the first message, as most of the time there is none."""
    from framebrush.sandbox import Sandbox
    from framebrush_scorer.learning.learner import Learner

    sandbox = Sandbox(settings.decoder_memory, modules=["framebrush_scorer.learning.samples"])
    return Learner(store, settings, sandbox)


if __name__ == "__main__":
    run_service("learner", LearnerSettings, make)
