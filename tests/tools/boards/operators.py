"""The board for who keeps an installation running: what waits, what is there for it, what goes wrong."""

from boards.alarms import failures, now
from boards.board import Board
from boards.machines import gpus, stages
from boards.promql import OURS, exported, of, per_second, quantiles
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
