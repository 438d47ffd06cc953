"""Runs the splitter: ``python -m framebrush_splitter``."""

from framebrush.messaging import Handler
from framebrush.service import bound_arenas, run_service
from framebrush.storage import Store
from framebrush_splitter.settings import SplitterSettings


def make(settings: SplitterSettings, store: Store) -> Handler:
    """Return the handler of both queues. Its modules are imported here, while the worker connects."""
    from framebrush.sandbox import Sandbox
    from framebrush_splitter.handler import Splitter

    sandbox = Sandbox(settings.decoder_memory, modules=["framebrush_splitter.tasks"])
    sandbox.warm()
    return Splitter(store, settings, sandbox)


if __name__ == "__main__":
    bound_arenas()
    run_service("splitter", SplitterSettings, make)
