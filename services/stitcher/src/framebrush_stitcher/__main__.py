"""Runs the stitcher: ``python -m framebrush_stitcher``."""

from framebrush.service import run_service, start
from framebrush.worker import Consumer
from framebrush_stitcher.handler import Stitcher
from framebrush_stitcher.settings import StitcherSettings


def main() -> None:
    """Consume what was scored until told to stop."""
    settings, store = start("stitcher", StitcherSettings)
    run_service(
        settings, [Consumer("scored", Stitcher(store, settings), settings.concurrency, sends=("scored",))], store
    )


if __name__ == "__main__":
    main()
