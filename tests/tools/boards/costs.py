"""What an installation costs, by the prices in a board's fields."""

from boards.board import Board
from boards.promql import FRAMES, OURS, counted, of, per_second, pods
from framebrush_stitcher.report.costs import OPERATIONS
from framebrush_stitcher.settings import StitcherSettings

SCORERS = f"({pods('scorer')} or vector(0))"
OTHERS = f"({pods('splitter', 'dispatcher', 'stitcher', 'learner')} or vector(0))"
REQUESTS = ', operation=~"write|list"'
"""Those that cost as much as a write; reads cost a tenth of it, deletions nothing."""
PRICES = (
    ("price_scorer_hour", "Price of a scorer pod-hour", "The price of a scorer's node, divided by its share of it."),
    ("price_cpu_hour", "Price of another pod-hour", "The same for splitters, dispatchers, stitchers and learners."),
    ("price_writes", "Price of 10,000 writes", "Of blobs; lists cost as much."),
    ("price_operations", "Price of a million operations", "Of Service Bus; a message takes three."),
)
"""Variables, named like the settings whose defaults they have."""

STORAGE = f"$price_writes * 0.36 * ({per_second('framebrush_blob_requests_total', matchers=REQUESTS)} or vector(0))"
BUS = f"$price_operations * {OPERATIONS} * 0.0036 * ({per_second('framebrush_messages_total')} or vector(0))"
HOUR = {
    "scorers": f"$price_scorer_hour * {SCORERS}",
    "other pods": f"$price_cpu_hour * {OTHERS}",
    "storage": STORAGE,
    "bus": BUS,
}
"""What an hour costs at the present pace, by what is paid for: 0.36 is 3,600 s by 10,000 writes, 0.0036 by a million
operations."""
RANGE = " + ".join(
    (
        f"$price_scorer_hour * avg_over_time({SCORERS}[$__range:15s]) * $__range_s / 3600",
        f"$price_cpu_hour * avg_over_time({OTHERS}[$__range:15s]) * $__range_s / 3600",
        f"$price_writes / 10000 * {counted('framebrush_blob_requests_total', REQUESTS)}",
        f"$price_operations / 1000000 * {OPERATIONS} * {counted('framebrush_messages_total')}",
    )
)
"""What the time range cost."""
LATELY = {
    "scorers": f"$price_scorer_hour * avg_over_time({SCORERS}[$__rate_interval:15s])",
    "other pods": f"$price_cpu_hour * avg_over_time({OTHERS}[$__rate_interval:15s])",
    "storage": STORAGE,
    "bus": BUS,
}
"""The same over the time that a rate looks back: frames by pods that have just left would cost nothing."""
DELIVERED = counted(FRAMES, of("stitcher"))


def fields(board: Board) -> None:
    """The prices, at first those of the report."""
    for name, label, description in PRICES:
        board.number(name, label, description, StitcherSettings.model_fields[name].default)


def cost(board: Board) -> None:
    """What it costs."""
    scored = per_second(FRAMES, matchers=of("scorer"))
    board.row("Cost")
    board.graph(
        "What does an hour cost, and for what?",
        HOUR,
        "currencyUSD",
        "By the prices above, the parts upon each other: pods that are up, writes and messages at their pace. A step "
        "that stays after the frames have ended is the time until pods leave.",
        steps=True,
        stacked=True,
    )
    board.graph(
        "What do 1,000 frames cost?",
        {
            "everything": f"({' + '.join(LATELY.values())}) / 3.6 / ({scored} > 0)",
            "scorers": f"{LATELY['scorers']} / 3.6 / ({scored} > 0)",
        },
        "currencyUSD",
        "At the present pace of the scorers and the prices above. High while pods start, lowest when all are busy. "
        "Empty while no frames are scored.",
    )
    board.graph(
        "How much of the scorers' time is the model at work?",
        {"{{pool}}": f"avg by (pool) (rate(framebrush_model_seconds_total{{{OURS}}}[$__rate_interval]))"},
        "percentunit",
        "The mean over the scorers of a pool. What is missing to 100 % is paid for nothing: fewer scorers at a time, "
        "more batches in hand or faster storage raise it.",
        top=1,
    )
