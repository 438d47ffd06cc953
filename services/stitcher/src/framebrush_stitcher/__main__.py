"""Runs the stitcher: ``python -m framebrush_stitcher``."""

from framebrush.messaging import Handler
from framebrush.service import bound_arenas, run_service
from framebrush.storage import Store
from framebrush_stitcher.settings import StitcherSettings


def make(settings: StitcherSettings, store: Store) -> Handler:
    """Return the handler of the stitcher's queue."""
    from framebrush.sandbox import Sandbox
    from framebrush_stitcher.handler import Stitcher

    sandbox = Sandbox(
        settings.decoder_memory, modules=["framebrush_stitcher.tasks", "framebrush_stitcher.report.samples"]
    )
    sandbox.warm()
    return Stitcher(store, settings, sandbox)


if __name__ == "__main__":
    bound_arenas()
    run_service("stitcher", StitcherSettings, make)
