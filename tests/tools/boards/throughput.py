"""The board for who pays for an installation: what comes out of it, and what that costs."""

from boards.board import Board
from boards.costs import DELIVERED, HOUR, RANGE, SCORERS, cost, fields
from boards.promql import FRAMES, OURS, counted, grown, of, per_second


def throughput() -> Board:
    """What comes out, what it takes, and what it costs."""
    board = Board(
        "framebrush throughput and cost",
        "framebrush-throughput",
        "Frames and runs of one framebrush installation, what they take, and what they cost by the prices above: an "
        "estimate from the pods that were up, the writes and the messages. The bill also has nodes that wait, what is "
        "stored, and what is there all the time.",
    )
    fields(board)
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
