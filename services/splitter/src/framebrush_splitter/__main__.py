"""Runs the splitter: ``python -m framebrush_splitter``."""

from framebrush.memory import bound_arenas
from framebrush.service import Deferred, run_service, start
from framebrush.worker import Consumer, Handler
from framebrush_splitter.settings import SplitterSettings


def main() -> None:
    """Consume triggers and splits until told to stop."""
    bound_arenas()
    settings, store = start("splitter", SplitterSettings)

    def make() -> Handler:
        from framebrush_splitter.handler import Splitter

        return Splitter(store, settings)

    handler = Deferred(make)
    consumers = [
        Consumer("triggers", handler, sends=("splits",)),
        Consumer("splits", handler, settings.concurrency, sends=("frames",)),
    ]
    run_service(settings, handler, consumers, store)


if __name__ == "__main__":
    main()
