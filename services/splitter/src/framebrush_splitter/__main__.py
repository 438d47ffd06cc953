"""Runs the splitter: ``python -m framebrush_splitter``."""

from framebrush.service import run_service, start
from framebrush.worker import Consumer
from framebrush_splitter.handler import Splitter
from framebrush_splitter.settings import SplitterSettings


def main() -> None:
    """Consume triggers and splits until told to stop."""
    settings, store = start("splitter", SplitterSettings)
    splitter = Splitter(store, settings)
    run_service(
        settings,
        [
            Consumer("triggers", splitter, sends=("splits",)),
            Consumer("splits", splitter, settings.concurrency, sends=("frames",)),
        ],
        store,
    )


if __name__ == "__main__":
    main()
