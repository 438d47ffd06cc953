"""Panels of what there is: pods, and GPUs."""

from boards.board import Board
from boards.promql import OURS, PROCESS, STAGES, exported, of, per_second, pods


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
