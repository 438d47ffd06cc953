"""Panels that should be 0: whether anything is wrong, and what failed."""

from boards.board import Board
from boards.promql import OURS, PROCESS, counted, exported, grown, per_second


def now(board: Board) -> None:
    """The numbers of now."""
    errors = exported("keda_scaled_object_errors_total", function="increase")
    board.row("Is anything wrong?")
    board.stat(
        "How many runs are active?",
        f"sum(max by (state) (framebrush_runs_active{{{OURS}}}))",
        "short",
        "Runs that are planned or worked on. A dash means that no dispatcher is up to tell, as when there is no work.",
    )
    board.stat(
        "How long has a run stood still?",
        f"time() - max(framebrush_oldest_progress_timestamp_seconds{{{OURS}}})",
        "s",
        "Time without progress of the active run that waits longest; near 0 if there is none. Red after 45 minutes, "
        "longer than a message may take: then see the runbook, FramebrushRunStalled.",
        alarm=2700,
    )
    board.stat(
        "How many dead letters wait for a person?",
        f"sum(max by (queue) (framebrush_dead_letters{{{OURS}}}))",
        "short",
        "Messages in all dead-letter queues. Should be 0. They stay until somebody replays or removes them: "
        "`framebrush dlq list`. A dash means that no dispatcher is up to tell.",
        alarm=1,
    )
    board.stat(
        "How many messages became dead letters?",
        counted("framebrush_messages_total", ', outcome="dead_lettered"'),
        "short",
        "Messages that services put aside in the time range. Should be 0.",
        alarm=1,
    )
    board.stat(
        "How many runs failed?",
        counted("framebrush_runs_ended_total", ', state="failed"'),
        "short",
        "In the time range. `framebrush runs --state failed` lists them with their reasons.",
        alarm=1,
    )
    board.stat(
        "How many pods are up?",
        f"sum(up{{{PROCESS}}}) or vector(0)",
        "short",
        "Pods of all stages that answer Prometheus. 0 is right while there is no work.",
    )
    board.stat(
        "How many pods have not answered for a minute?",
        f"count(max_over_time(up{{{PROCESS}}}[2m]) == 0 and up{{{PROCESS}}} offset 1m) or vector(0)",
        "short",
        "Pods that have run for a minute or longer and answered Prometheus not once in two minutes. Should be 0. Look "
        "at the end of the pod's log.",
        alarm=1,
    )
    board.stat(
        "How often could KEDA not read a queue?",
        f"sum({errors}) or vector(0)",
        "short",
        "Failed looks at a queue in the time range. While they last, nothing scales: see the runbook, "
        "FramebrushScalingBroken.",
        alarm=1,
    )


def failures(board: Board) -> None:
    """What goes wrong."""
    errors = exported("keda_scaled_object_errors_total", function="rate")
    board.row("Failures")
    board.graph(
        "How many dead letters lie in each queue?",
        {
            "{{queue}}": f"max by (queue) (framebrush_dead_letters{{{OURS}}})",
            "new in {{queue}}": grown("framebrush_messages_total", "queue", ', outcome="dead_lettered"'),
        },
        "short",
        "Letters that lie there, known while a dispatcher is up, and those that services put aside from point to "
        "point. Should be 0. `framebrush dlq list` has the reasons.",
        width=6,
    )
    board.graph(
        "Which messages come again, and why?",
        {
            "{{queue}} {{outcome}}": per_second(
                "framebrush_messages_total",
                "queue, outcome",
                ', outcome=~"retried|handed_back|lock_lost|unsettled"',
            )
        },
        "suffix: /s",
        "retried: after an error. handed_back: by a pod that ends or is unfit. lock_lost, unsettled: the broker was "
        "away. A little of it is right when pods end; a level line is an error that repeats.",
        width=6,
    )
    board.graph(
        "Can KEDA read the queues?",
        {"{{scaledObject}}": f"sum by (scaledObject) ({errors})"},
        "suffix: /s",
        "Failed looks at a queue, by what it scales. Should be 0. While they last, nothing scales.",
        width=6,
    )
    board.graph(
        "Is anything lost or unreadable?",
        {
            "log lines of {{service}}": per_second("framebrush_log_lines_lost_total", "service"),
            "runs": f"max(framebrush_runs_unreadable{{{OURS}}})",
        },
        "short",
        "Lines per second of runs' logs that did not reach storage, and active runs whose status cannot be read. "
        "Should be 0. The dispatcher's log says why a run cannot be read.",
        width=6,
    )
