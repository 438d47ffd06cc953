"""The board for who keeps an installation running: what waits, what is there for it, what goes wrong."""

from boards.board import Board
from boards.promql import OURS, PROCESS, STAGES, counted, exported, grown, of, per_second, pods, quantiles
from framebrush.contracts import QUEUES


def operators() -> Board:
    """Queues, pods, times, failures and GPUs."""
    board = Board(
        "framebrush for operators",
        "framebrush-operators",
        "Whether one framebrush installation is well: its queues, pods, times, failures and GPUs. Queue depths are "
        "KEDA's, the figures of GPU cards are those of NVIDIA's DCGM exporter.",
    )
    now(board)
    queues(board)
    stages(board)
    times(board)
    failures(board)
    gpus(board)
    return board


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


def queues(board: Board) -> None:
    """What waits."""
    names = "|".join(QUEUES)
    depth = exported("keda_scaler_metrics_value", f', metric=~"s[0-9]+-azure-servicebus-({names})"')
    board.row("Queues")
    board.graph(
        "How many messages wait in each queue?",
        {
            "{{queue}}": f'max by (queue) (label_replace({depth}, "queue", "$1", "metric", '
            '"s[0-9]+-azure-servicebus-(.+)"))'
        },
        "short",
        "Active messages as KEDA sees them; what is being worked on counts too, where Service Bus counts it. A queue "
        "that grows while the next ones are empty shows the stage that lacks pods.",
        width=6,
    )
    board.graph(
        "How long do messages wait until they are taken up?",
        quantiles("framebrush_message_wait_seconds", 0.5, 0.95, by="queue"),
        "s",
        "From a message's arrival in its queue to its receipt; p95 is the time that 95 of 100 messages stay below. "
        "Minutes are right while a node starts, and wrong when all pods are up. Empty while nothing is received.",
        width=6,
    )
    board.graph(
        "How many messages are worked on?",
        {"{{queue}}": f"sum by (queue) (framebrush_messages_in_progress{{{OURS}}})"},
        "short",
        "Messages in hand, by the queue that they came from. Waiting messages and none in hand: the pods are missing "
        "or unfit.",
        steps=True,
        width=6,
    )
    board.graph(
        "How many messages per second are completed?",
        {"{{queue}}": per_second("framebrush_messages_total", "queue", ', outcome="completed"')},
        "suffix: /s",
        "By queue. 0 while messages are in hand: one message takes long, see how long a message of each queue takes.",
        width=6,
    )


def stages(board: Board) -> None:
    """What is there."""
    board.row("Pods")
    board.graph(
        "How many pods does each stage have?",
        {stage: f"{pods(stage)} or vector(0)" for stage in STAGES},
        "short",
        "Pods that answered Prometheus. Every stage is at 0 while it has no messages, and grows with its queue.",
        steps=True,
    )
    board.graph(
        "On which pools of nodes do scorers run?",
        {"{{pool}}": pods("scorer", by="pool")},
        "short",
        "Scorers that answered Prometheus, by pool. Spot nodes should come first; when they are taken away, the pool "
        "on demand takes over.",
        steps=True,
    )
    board.graph(
        "Which pods begin anew or do not answer?",
        {
            "{{service}} restarts": "sum by (service) "
            f"(changes(process_start_time_seconds{{{PROCESS}}}[$__rate_interval]))",
            "{{service}} silent": f"sum by (service) (up{{{PROCESS}}} == bool 0)",
        },
        "short",
        "Processes that began again in their pod from point to point; pods that do not answer Prometheus. Should be 0, "
        "apart from seconds at a pod's beginning and end. The reason is the last line of the pod's log.",
    )
    board.graph(
        "How many processor cores does each stage use?",
        {"{{service}}": per_second("process_cpu_seconds_total", "service", of(*STAGES))},
        "suffix: cores",
        "Over all pods of a stage. Divide by the number of pods, and compare with the request in the chart's values.",
    )
    board.graph(
        "How much memory does the largest pod of each stage use?",
        {"{{service}}": f"max by (service) (process_resident_memory_bytes{{{PROCESS}}})"},
        "bytes",
        "Resident memory of the service itself. Near the container's limit, the kernel ends the pod. Processes that "
        "open media come on top.",
    )
    board.graph(
        "Are the processes that open media isolated?",
        {"{{measure}}": f"min by (measure) (framebrush_sandbox_measure{{{OURS}}})"},
        "short",
        "1: on every splitter and stitcher. 0: at least one node's kernel lacks this measure. docs/video.md, Hostile "
        "files, says what each one keeps out.",
        top=1,
        steps=True,
    )


def times(board: Board) -> None:
    """How long things take."""
    board.row("How long things take")
    board.graph(
        "How long does a batch take in a scorer?",
        quantiles("framebrush_message_seconds", 0.5, 0.9, 0.99, matchers=', queue="batches"'),
        "s",
        "Download, model and upload; half of the batches take less than p50, 99 of 100 less than p99. p99 far above "
        "p50: one pod is slow, or storage throttles. Empty while there is no batch.",
    )
    board.graph(
        "How long does a message of each queue take?",
        quantiles("framebrush_message_seconds", 0.95, by="queue"),
        "s",
        "95 of 100 messages take less. Must stay well below FRAMEBRUSH_MESSAGE_TIMEOUT, 1,800 s by default.",
    )
    board.graph(
        "How long is the model at work for one frame?",
        {
            "{{pool}}": f"{per_second('framebrush_model_seconds_total', 'pool')} / "
            f"({per_second('framebrush_frames_out_total', 'pool', of('scorer'))} > 0)"
        },
        "s",
        "By pool of nodes. It depends on the card, the model and the size of the frames, and should be level within a "
        "run. Empty while no frames are scored.",
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


def gpus(board: Board) -> None:
    """What the cards do: by us, and by NVIDIA's exporter."""
    board.row("GPU")
    board.graph(
        "What share of the time is the model at work?",
        {"{{pool}}": f"avg by (pool) (rate(framebrush_model_seconds_total{{{OURS}}}[$__rate_interval]))"},
        "percentunit",
        "The mean over the scorers of a pool, as framebrush measures it; on the CPU where there is no GPU. Well below "
        "100 % with messages waiting: scorers wait for storage or for JPEG.",
        top=1,
    )
    for title, expression, unit, description, top in (
        (
            "How busy is each GPU?",
            "DCGM_FI_DEV_GPU_UTIL{} / 100",
            "percentunit",
            "As the driver measures it, by DCGM: the share of time in which anything ran on the card. Should follow "
            "the panel to the left; busy without our model at work means that something else uses the card.",
            1,
        ),
        (
            "How much memory of each GPU is used?",
            "DCGM_FI_DEV_FB_USED{} * 1048576",
            "bytes",
            "By DCGM. Level while a model is loaded. Near the card's size frames are scored in smaller tiles, or fail.",
            None,
        ),
        (
            "How much power does each GPU draw?",
            "DCGM_FI_DEV_POWER_USAGE{}",
            "watt",
            "By DCGM. A busy card that draws little waits for memory or is throttled.",
            None,
        ),
        (
            "How hot is each GPU?",
            "DCGM_FI_DEV_GPU_TEMP{}",
            "celsius",
            "By DCGM. From about 85 °C on, cards slow themselves down.",
            None,
        ),
        (
            "Has a GPU reported an error?",
            "DCGM_FI_DEV_XID_ERRORS{}",
            "short",
            "The number of the last XID error of each card, by DCGM; 0 is none. NVIDIA's list of XID errors tells what "
            "a number means. Scorers on a lost card turn unfit and end.",
            None,
        ),
    ):
        metric, _, rest = expression.partition("{}")
        shown = f"max by (Hostname, gpu) ({exported(metric)}){rest}"
        board.graph(title, {"{{Hostname}} {{gpu}}": shown}, unit, description, top=top)
