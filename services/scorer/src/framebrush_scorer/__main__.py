"""The scorer's entry point: ``python -m framebrush_scorer``."""

from framebrush.messaging import Handler
from framebrush.service import keep_blocks, run_service
from framebrush.storage import Store
from framebrush_scorer.settings import ScorerSettings


def make(settings: ScorerSettings, store: Store) -> Handler:
    """Return the handler of a message, with the default model loaded.

    Torch is imported here, after the settings have been found to be right.
    """
    from framebrush_scorer.pipeline import Scorer

    scorer = Scorer(store, settings)
    scorer.warm_up(settings.default_model)
    return scorer


if __name__ == "__main__":
    keep_blocks()
    run_service("scorer", ScorerSettings, make)
