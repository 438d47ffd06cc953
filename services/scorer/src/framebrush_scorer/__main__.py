"""Runs the scorer: ``python -m framebrush_scorer``."""

from framebrush.service import run_service, start
from framebrush.worker import Consumer
from framebrush_scorer.handler import Scorer
from framebrush_scorer.settings import ScorerSettings


def main() -> None:
    """Consume batches until told to stop."""
    settings, store = start("scorer", ScorerSettings)
    scorer = Scorer(store, settings)
    run_service(
        settings,
        [Consumer("batches", scorer, settings.concurrency, sends=("scored",))],
        store,
        prepare=lambda: scorer.warm_up(settings.default_model),
    )


if __name__ == "__main__":
    main()
