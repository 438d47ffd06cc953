"""Runs the stitcher: ``python -m framebrush_stitcher``."""

from framebrush.memory import bound_arenas
from framebrush.service import Deferred, run_service, start
from framebrush.worker import Consumer, Handler
from framebrush_stitcher.settings import StitcherSettings


def main() -> None:
    """Consume what was scored until told to stop."""
    bound_arenas()
    settings, store = start("stitcher", StitcherSettings)

    def make() -> Handler:
        from framebrush_stitcher.handler import Stitcher

        return Stitcher(store, settings)

    handler = Deferred(make)
    run_service(settings, handler, [Consumer("scored", handler, settings.concurrency, sends=("scored",))], store)


if __name__ == "__main__":
    main()
