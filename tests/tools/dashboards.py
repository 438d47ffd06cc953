"""Make the chart's Grafana dashboards: ``make dashboards``. Grafana 11.6 and newer read them."""

import argparse
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

FOLDER = Path(__file__).parents[2] / "charts" / "framebrush" / "dashboards"

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OURS = 'namespace="$namespace"'
"""Metrics that only framebrush exports."""
PROCESS = f'{OURS}, service=~"splitter|dispatcher|scorer|stitcher"'
"""Metrics that every process exports."""
STAGES = ("splitter", "dispatcher", "scorer", "stitcher")

SCORERS = f'(count(framebrush_frames_in_total{{{OURS}, service="scorer"}}) or vector(0))'

Targets = dict[str, str]
"""PromQL by legend; ``{{label}}`` stands for a label's value."""


def keda(metric: str, *, rate: bool = False, matchers: str = "") -> str:
    """One of KEDA's metrics. Who scrapes it decides whether its own label ``namespace`` is called so, or
    ``exported_namespace``."""
    selectors = [f"{{{own}{matchers}}}" for own in ('exported_namespace="$namespace"', OURS)]
    series = [f"rate({metric}{selector}[$__rate_interval])" if rate else metric + selector for selector in selectors]
    return " or ".join(series)


def quantiles(metric: str, *levels: float, matchers: str = "", by: str = "") -> Targets:
    """Quantiles of a histogram, over all pods."""
    rates = (
        f"sum by ({', '.join(filter(None, (by, 'le')))}) (rate({metric}_bucket{{{OURS}{matchers}}}[$__rate_interval]))"
    )
    return {
        f"p{level * 100:.0f}" + (f" {{{{{by}}}}}" if by else ""): f"histogram_quantile({level}, {rates})"
        for level in levels
    }


class Board:
    """A dashboard that is filled from the top left, row by row."""

    def __init__(self, title: str, uid: str, description: str) -> None:
        self._panels = 0
        namespaces = "label_values(framebrush_frames_in_total, namespace)"
        self.builder = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(description)
            .tags(["framebrush"])
            .refresh("30s")
            .time("now-3h", "now")
            .timezone("browser")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .with_variable(
                dashboard.QueryVariable("namespace")
                .label("Namespace")
                .datasource(SOURCE)
                .query({"qryType": 1, "query": namespaces, "refId": "namespace"})
                .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
                .sort(VariableSort.ALPHABETICAL_ASC)
            )
            .with_variable(
                dashboard.TextBoxVariable("price")
                .label("Price of a scorer pod-hour")
                .description("What one scorer costs in an hour: the price of its node, divided by its share of it.")
                .default_value("3.06")
                .current(VariableOption(text="3.06", value="3.06"))
            )
        )

    def row(self, title: str) -> None:
        """Begin a new row."""
        self._panels += 1
        self.builder.with_row(dashboard.Row(title).id(self._panels))

    def stat(self, title: str, expression: str, unit: str, description: str, *, decimals: int = 0) -> None:
        """One number, as of now; eight of them fill a row."""
        self._panels += 1
        self.builder.with_panel(
            stat.Panel()
            .id(self._panels)
            .title(title)
            .description(description)
            .datasource(SOURCE)
            .unit(unit)
            .decimals(decimals)
            .span(3)
            .height(4)
            .graph_mode(BigValueGraphMode.NONE)
            .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
            .no_value("-")
            .with_target(prometheus.Dataquery().expr(expression).instant().ref_id("A").datasource(SOURCE))
        )

    def graph(
        self,
        title: str,
        targets: Targets,
        unit: str,
        description: str,
        *,
        top: float | None = None,
        steps: bool = False,
        width: int = 8,
    ) -> None:
        """Lines over time, from 0 to ``top``; ``width`` of 24 columns."""
        self._panels += 1
        panel = (
            timeseries.Panel()
            .id(self._panels)
            .title(title)
            .description(description)
            .datasource(SOURCE)
            .unit(unit)
            .min(0)
            .span(width)
            .height(8)
            .fill_opacity(10)
            .line_interpolation(LineInterpolation.STEP_AFTER if steps else LineInterpolation.LINEAR)
            .show_points(VisibilityMode.NEVER)
            .legend(
                common.VizLegendOptions()
                .show_legend(True)
                .display_mode(LegendDisplayMode.LIST)
                .placement(LegendPlacement.BOTTOM)
            )
            .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        )
        if top is not None:
            panel.max(top)
        for letter, (legend, expression) in zip("ABCDEFGH", targets.items(), strict=False):
            panel.with_target(
                prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id(letter).datasource(SOURCE)
            )
        self.builder.with_panel(panel)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(JSONEncoder(sort_keys=True, indent=2).encode(self.builder.build()) + "\n")


def throughput() -> Board:
    """What goes in, what comes out, what it takes."""
    board = Board(
        "framebrush throughput",
        "framebrush-throughput",
        "Runs, frames, queues, replicas, failures and cost of one framebrush installation. Queue depths are KEDA's.",
    )
    overview(board)
    work(board)
    queues(board)
    latency(board)
    failures(board)
    cost(board)
    return board


def overview(board: Board) -> None:
    """The numbers of now."""
    ended = 'sum(increase(framebrush_runs_ended_total{{{}, state="{}"}}[$__range])) or vector(0)'
    dead = f'sum(increase(framebrush_messages_total{{{OURS}, outcome="dead_lettered"}}[$__range])) or vector(0)'
    delivered = f'sum(rate(framebrush_frames_out_total{{{OURS}, service="stitcher"}}[$__rate_interval])) or vector(0)'
    board.row("Now")
    board.stat(
        "Active runs",
        f"sum(max by (state) (framebrush_runs_active{{{OURS}}}))",
        "short",
        "Runs that are planned or worked on. Known while a dispatcher is up.",
    )
    board.stat(
        "Without progress",
        f"time() - max(framebrush_oldest_progress_timestamp_seconds{{{OURS}}})",
        "s",
        "How long the active run that waits longest has made no progress; near 0 while there is none. Known while a "
        "dispatcher is up.",
    )
    board.stat(
        "Runs succeeded", ended.format(OURS, "succeeded"), "short", "In the time range. Estimated from the scrapes."
    )
    board.stat("Runs failed", ended.format(OURS, "failed"), "short", "In the time range. Estimated from the scrapes.")
    board.stat("Frames delivered", delivered, "suffix: /s", "Frames a second that stitchers encode.", decimals=1)
    board.stat("Dead letters", dead, "short", "Messages put aside in the time range; they wait for a person.")
    board.stat(
        "Cost per hour now",
        f"$price * {SCORERS}",
        "currencyUSD",
        "Scorers that are up now, at the price above.",
        decimals=2,
    )
    board.stat(
        "Cost",
        f"$price * avg_over_time({SCORERS}[$__range:15s]) * $__range_s / 3600",
        "currencyUSD",
        "Of the scorers in the time range, at the price above.",
        decimals=2,
    )


def work(board: Board) -> None:
    """Runs, frames, bytes."""
    board.row("Work")
    board.graph(
        "Frames per second",
        {"{{service}}": f"sum by (service) (rate(framebrush_frames_out_total{{{OURS}}}[$__rate_interval]))"},
        "suffix: /s",
        "Frames that each stage gives out. The slowest line sets the pace.",
    )
    board.graph(
        "Runs",
        {
            "{{state}}": f"max by (state) (framebrush_runs_active{{{OURS}}})",
            "ended: {{state}}": f"sum by (state) (increase(framebrush_runs_ended_total{{{OURS}}}[$__rate_interval]))",
        },
        "short",
        "Active runs by state, known while a dispatcher is up, and those that ended within an interval of the graph.",
    )
    board.graph(
        "Blob throughput",
        {
            "{{service}} {{direction}}": "sum by (service, direction) "
            f"(rate(framebrush_blob_bytes_total{{{OURS}}}[$__rate_interval]))"
        },
        "Bps",
        "Bytes read from and written to Blob storage. An account's limit is some gigabytes a second.",
    )


def queues(board: Board) -> None:
    """What waits, and what is there for it."""
    names = "triggers|splits|frames|batches|events|scored"
    depth = keda("keda_scaler_metrics_value", matchers=f', metric=~"s[0-9]+-azure-servicebus-({names})"')
    board.row("Queues and scaling")
    board.graph(
        "Queue depth",
        {
            "{{queue}}": f'max by (queue) (label_replace({depth}, "queue", "$1", "metric", '
            '"s[0-9]+-azure-servicebus-(.+)"))'
        },
        "short",
        "Active messages as KEDA sees them; what is being worked on counts too, where Service Bus counts it.",
    )
    board.graph(
        "Message age",
        quantiles("framebrush_message_wait_seconds", 0.5, 0.95, by="queue"),
        "s",
        "Time from a message's arrival in its queue to its receipt. Empty while nothing is received.",
    )
    board.graph(
        "Replicas",
        {stage: f'count(framebrush_frames_in_total{{{OURS}, service="{stage}"}}) or vector(0)' for stage in STAGES},
        "short",
        "Pods of each stage that answered Prometheus.",
        steps=True,
    )
    board.graph(
        "Scorers by pool",
        {"{{pool}}": f'count by (pool) (framebrush_frames_in_total{{{OURS}, service="scorer"}})'},
        "short",
        "Scorers that answered Prometheus, by the pool of nodes they run on.",
        steps=True,
    )
    board.graph(
        "Messages in hand",
        {"{{queue}}": f"sum by (queue) (framebrush_messages_in_progress{{{OURS}}})"},
        "short",
        "Messages that are being worked on.",
        steps=True,
    )
    board.graph(
        "Messages per second",
        {
            "{{queue}}": "sum by (queue) "
            f'(rate(framebrush_messages_total{{{OURS}, outcome="completed"}}[$__rate_interval]))'
        },
        "suffix: /s",
        "Messages completed.",
    )


def latency(board: Board) -> None:
    """How long things take, and what they use."""
    board.row("Latency and use")
    board.graph(
        "Batch latency",
        quantiles("framebrush_message_seconds", 0.5, 0.9, 0.99, matchers=', queue="batches"'),
        "s",
        "Time in which a scorer handles a batch, download and upload included. Empty while there is none.",
    )
    board.graph(
        "Message latency",
        quantiles("framebrush_message_seconds", 0.95, by="queue"),
        "s",
        "Time to handle a message, by queue. Must stay well below FRAMEBRUSH_MESSAGE_TIMEOUT.",
    )
    board.graph(
        "Model time per frame",
        {
            "{{pool}}": f"sum by (pool) (rate(framebrush_model_seconds_total{{{OURS}}}[$__rate_interval])) / "
            f'(sum by (pool) (rate(framebrush_frames_out_total{{{OURS}, service="scorer"}}[$__rate_interval])) > 0)'
        },
        "s",
        "Seconds in the model for one frame. Empty while no frames are scored.",
    )
    board.graph(
        "GPU busy",
        {"{{pool}}": f"avg by (pool) (rate(framebrush_model_seconds_total{{{OURS}}}[$__rate_interval]))"},
        "percentunit",
        "Share of the time in which a scorer's model is at work, the mean over the pool's scorers; of the CPU where "
        "there is no GPU. Well below 100 % with messages waiting: scorers wait for storage or for JPEG.",
        top=1,
    )
    board.graph(
        "CPU",
        {"{{service}}": f"sum by (service) (rate(process_cpu_seconds_total{{{PROCESS}}}[$__rate_interval]))"},
        "suffix: cores",
        "Processor cores in use, over all pods of a stage.",
    )
    board.graph(
        "Memory of the largest pod",
        {"{{service}}": f"max by (service) (process_resident_memory_bytes{{{PROCESS}}})"},
        "bytes",
        "Resident memory; the limit that counts is the pod's.",
    )


def failures(board: Board) -> None:
    """What went wrong."""
    board.row("Failures")
    board.graph(
        "Dead letters by queue",
        {
            "{{queue}}": f"max by (queue) (framebrush_dead_letters{{{OURS}}})",
            "new in {{queue}}": "sum by (queue) "
            f'(increase(framebrush_messages_total{{{OURS}, outcome="dead_lettered"}}[$__rate_interval]))',
        },
        "short",
        "Letters that lie there, known while a dispatcher is up, and those that services put aside within an interval "
        "of the graph. `framebrush dlq list` has the reasons.",
        width=6,
    )
    board.graph(
        "Attempts without success",
        {
            "{{queue}} {{outcome}}": "sum by (queue, outcome) (rate(framebrush_messages_total"
            f'{{{OURS}, outcome=~"retried|handed_back|lock_lost|unsettled"}}[$__rate_interval]))'
        },
        "suffix: /s",
        "Messages that come again: after an error, handed back by a process that drains or is unfit, when their lock "
        "was lost.",
        width=6,
    )
    board.graph(
        "Restarts and silence",
        {
            "{{service}} restarts": "sum by (service) "
            f"(changes(process_start_time_seconds{{{PROCESS}}}[$__rate_interval]))",
            "{{service}} silent": f"sum by (service) (up{{{PROCESS}}} == bool 0)",
        },
        "short",
        "Processes that began anew in their pod within an interval; pods that do not answer Prometheus.",
        width=6,
    )
    board.graph(
        "KEDA's errors",
        {"{{scaledObject}}": f"sum by (scaledObject) ({keda('keda_scaled_object_errors_total', rate=True)})"},
        "suffix: /s",
        "Failed looks at a queue. While they last, nothing scales.",
        width=6,
    )


def cost(board: Board) -> None:
    """What it costs."""
    rate = f'sum(rate(framebrush_frames_out_total{{{OURS}, service="scorer"}}[$__rate_interval]))'
    board.row("Cost")
    board.graph(
        "Cost per hour",
        {"scorers": f"$price * {SCORERS}"},
        "currencyUSD",
        "Scorers that are up, at the price above. Node time before a pod starts and after it ends is not in it.",
        steps=True,
        width=12,
    )
    board.graph(
        "Cost per 1000 frames",
        {"scorers": f"$price * {SCORERS} / 3.6 / ({rate} > 0)"},
        "currencyUSD",
        "Of the scorers at their present pace and the price above. Empty while no frames are scored.",
        width=12,
    )


BOARDS = {"throughput.json": throughput}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="where to write them")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in BOARDS.items():
        make().write(folder / name)


if __name__ == "__main__":
    main()
