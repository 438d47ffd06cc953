"""A Grafana dashboard, built with Grafana's own SDK, so that it follows Grafana's schema."""

from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from boards.promql import Targets

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "framebrush"


class Board:
    """A dashboard that is filled from the top left, row by row."""

    def __init__(self, title: str, uid: str, description: str) -> None:
        self._panels = 0
        namespaces = "label_values(framebrush_frames_in_total, namespace)"
        self.builder = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(description)
            .tags([TAG])
            .refresh("30s")
            .time("now-3h", "now")
            .timezone("browser")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(
                dashboard.DashboardLink("framebrush")
                .type(DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .include_vars(True)
                .keep_time(True)
            )
            .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .with_variable(
                dashboard.QueryVariable("namespace")
                .label("Namespace")
                .datasource(SOURCE)
                .query({"qryType": 1, "query": namespaces, "refId": "namespace"})
                .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
                .sort(VariableSort.ALPHABETICAL_ASC)
            )
        )

    def number(self, name: str, label: str, description: str, default: float) -> None:
        """A variable that a person may change: a price."""
        self.builder.with_variable(
            dashboard.TextBoxVariable(name)
            .label(label)
            .description(description)
            .default_value(str(default))
            .current(VariableOption(text=str(default), value=str(default)))
        )

    def row(self, title: str) -> None:
        """Begin a new row."""
        self._panels += 1
        self.builder.with_row(dashboard.Row(title).id(self._panels))

    def stat(
        self, title: str, expression: str, unit: str, description: str, *, decimals: int = 0, alarm: float | None = None
    ) -> None:
        """One number, as of now, red from ``alarm`` on; four of them fill a row."""
        self._panels += 1
        steps = [Threshold(color="green"), *([] if alarm is None else [Threshold(value=alarm, color="red")])]
        self.builder.with_panel(
            stat.Panel()
            .id(self._panels)
            .title(title)
            .description(description)
            .datasource(SOURCE)
            .unit(unit)
            .decimals(decimals)
            .span(6)
            .height(4)
            .graph_mode(BigValueGraphMode.NONE)
            .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
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
        stacked: bool = False,
        width: int = 8,
    ) -> None:
        """Lines over time, from 0 to ``top`` or more, or areas upon each other; ``width`` of 24 columns."""
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
            .fill_opacity(50 if stacked else 10)
            .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
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
            panel.axis_soft_max(top)
        for letter, (legend, expression) in zip("ABCDEFGH", targets.items(), strict=False):
            panel.with_target(
                prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id(letter).datasource(SOURCE)
            )
        self.builder.with_panel(panel)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(JSONEncoder(sort_keys=True, indent=2).encode(self.builder.build()) + "\n")
