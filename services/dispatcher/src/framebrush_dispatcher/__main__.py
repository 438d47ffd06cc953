"""Runs the dispatcher: ``python -m framebrush_dispatcher``."""

from framebrush.runs import Runs
from framebrush.service import Deferred, Periodic, run_service, start
from framebrush.worker import Consumer
from framebrush_dispatcher.deadletters import DeadLetterWatch
from framebrush_dispatcher.handler import Dispatcher
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_dispatcher.tracker import Tracker


def main() -> None:
    """Consume frames until told to stop; meanwhile track runs and watch for dead letters."""
    settings, store = start("dispatcher", DispatcherSettings)
    handler = Deferred(lambda: Dispatcher(store, settings))
    background = [
        Periodic("tracker", settings.track_interval, Tracker(Runs(store, settings.work_container))),
        Periodic("dead letters", settings.dead_letter_interval, DeadLetterWatch(settings, handler)),
    ]
    consumer = Consumer("frames", handler, settings.concurrency, sends=("batches",))
    run_service(settings, handler, [consumer], store, background=background)


if __name__ == "__main__":
    main()
