"""Runs the dispatcher: ``python -m framebrush_dispatcher``."""

from framebrush.messaging import Handler
from framebrush.runs import Runs
from framebrush.service import PeriodicTask, bound_arenas, run_service
from framebrush.storage import Store
from framebrush_dispatcher.deadletters import DeadLetterWatch
from framebrush_dispatcher.handler import Dispatcher
from framebrush_dispatcher.lookout import Lookout
from framebrush_dispatcher.settings import DispatcherSettings
from framebrush_dispatcher.tracker import Tracker


def make(settings: DispatcherSettings, store: Store) -> Handler:
    """Return the handler of the dispatcher's queues."""
    return Dispatcher(store, settings)


def background(settings: DispatcherSettings, store: Store, handler: Handler) -> list[PeriodicTask]:
    """Return the tasks that track runs and watch for dead letters."""
    interval, watch = settings.dead_letter_interval, DeadLetterWatch(settings, handler)
    return [
        PeriodicTask("tracker", settings.track_interval, Tracker(Runs(store, settings.work_container))),
        PeriodicTask("dead letters", interval, Lookout(store, settings.work_container, watch, interval)),
    ]


if __name__ == "__main__":
    bound_arenas()
    run_service("dispatcher", DispatcherSettings, make, background)
