"""Runs the scorer: ``python -m framebrush_scorer``."""

from framebrush.memory import keep_blocks
from framebrush.service import Deferred, run_service, start
from framebrush.worker import Consumer, Handler
from framebrush_scorer.settings import ScorerSettings


def main() -> None:
    """Consume batches until told to stop."""
    keep_blocks()
    settings, store = start("scorer", ScorerSettings)

    def make() -> Handler:
        from framebrush_scorer.handler import Scorer

        scorer = Scorer(store, settings)
        scorer.warm_up(settings.default_model)
        return scorer

    handler = Deferred(make)
    run_service(settings, handler, [Consumer("batches", handler, settings.concurrency, sends=("scored",))], store)


if __name__ == "__main__":
    main()
