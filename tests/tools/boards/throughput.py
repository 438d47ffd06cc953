"""The board for who pays for an installation: what comes out of it, and what that costs."""

from boards.board import Board
from boards.promql import OURS, counted, grown, of, per_second, pods
from framebrush_stitcher.report.figures import OPERATIONS
from framebrush_stitcher.settings import StitcherSettings

SCORERS = f"({pods('scorer')} or vector(0))"
OTHERS = f"({pods('splitter', 'dispatcher', 'stitcher', 'learner')} or vector(0))"
FRAMES = "framebrush_frames_out_total"
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


def throughput() -> Board:
    """What comes out, what it takes, and what it costs."""
    board = Board(
        "framebrush throughput and cost",
        "framebrush-throughput",
        "Frames and runs of one framebrush installation, what they take, and what they cost by the prices above: an "
        "estimate from the pods that were up, the writes and the messages. The bill also has nodes that wait, what is "
        "stored, and what is there all the time.",
    )
    for name, label, description in PRICES:
        board.number(name, label, description, StitcherSettings.model_fields[name].default)
    overview(board)
    work(board)
    cost(board)
    return board


def overview(board: Board) -> None:
    """The numbers of the time range, and of now."""
    board.row("At a glance")
    board.stat(
        "How many runs succeeded?",
        counted("framebrush_runs_ended_total", ', state="succeeded"'),
        "short",
        "In the time range.",
    )
    board.stat(
        "How many frames were delivered?",
        DELIVERED,
        "short",
        "Frames that stitchers encoded in the time range, of every style of a run. Frames that are encoded again after "
        "a crash count again.",
    )
    board.stat(
        "How many frames per second are delivered now?",
        f"{per_second(FRAMES, matchers=of('stitcher'))} or vector(0)",
        "suffix: /s",
        "Frames that stitchers encode. 0 while a run is still decoded or scored.",
        decimals=1,
    )
    board.stat(
        "How many scorers are up?",
        SCORERS,
        "short",
        "Pods that score, which answered Prometheus. They are most of the cost; 0 is right while there is no work.",
    )
    board.stat(
        "How much of the scorers' time was the model at work?",
        f"{counted('framebrush_model_seconds_total')} / (avg_over_time({SCORERS}[$__range:15s]) * $__range_s > 0)",
        "percentunit",
        "Of the time in which scorers were up. The rest was paid for nothing: loading, waiting for work, the minutes "
        "until the last scorer leaves. Short runs have a low share.",
    )
    board.stat(
        "What does an hour cost now?",
        " + ".join(HOUR.values()),
        "currencyUSD",
        "All pods that are up, and writes and messages at their present pace, by the prices above.",
        decimals=2,
    )
    board.stat(
        "What did the time range cost?",
        RANGE,
        "currencyUSD",
        "Pods, writes and messages, by the prices above. Time of a node before its pod begins and after it ends is not "
        "in it.",
        decimals=2,
    )
    board.stat(
        "What did 1,000 frames cost?",
        f"1000 * ({RANGE}) / ({DELIVERED} > 0)",
        "currencyUSD",
        "The cost of the time range by the frames delivered in it. Choose a range from before a run to after it: then "
        "start and end are in it. docs/costs.md has figures to compare with.",
        decimals=2,
    )


def work(board: Board) -> None:
    """Frames, runs, bytes."""
    board.row("Throughput")
    board.graph(
        "How many frames per second does each stage give out?",
        {"{{service}}": per_second(FRAMES, "service")},
        "suffix: /s",
        "The lowest line of those that are at work sets the pace: that stage needs more or faster pods.",
    )
    board.graph(
        "How many frames per second does one scorer score?",
        {"{{pool}}": f"avg by (pool) (rate({FRAMES}{{{OURS}{of('scorer')}}}[$__rate_interval]))"},
        "suffix: /s",
        "The mean over the scorers of a pool, those that wait included. Multiply by the pool's most pods for what it "
        "can do at best.",
    )
    board.graph(
        "How many runs are active, and how many end?",
        {
            "{{state}}": f"max by (state) (framebrush_runs_active{{{OURS}}})",
            "ended: {{state}}": grown("framebrush_runs_ended_total", "state"),
        },
        "short",
        "Active runs by state, known while a dispatcher is up, and those that ended from point to point.",
    )
    board.graph(
        "How many bytes per second go to and from storage?",
        {"{{service}} {{direction}}": per_second("framebrush_blob_bytes_total", "service, direction")},
        "Bps",
        "Bytes read and written by each stage. A storage account's limit is some gigabytes a second; lines that are "
        "cut off level below it mean that it throttles.",
    )
    board.graph(
        "How many requests per second does storage answer?",
        {"{{operation}}": per_second("framebrush_blob_requests_total", "operation")},
        "suffix: /s",
        "By operation, each attempt for itself. Writes and lists cost; an account's limit is 20,000 a second.",
    )
    board.graph(
        "How many messages per second does the bus carry?",
        {"{{queue}}": per_second("framebrush_messages_total", "queue")},
        "suffix: /s",
        "Messages settled, well or not, by queue. Each takes three operations of the bus: send, receive, settle.",
    )


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
