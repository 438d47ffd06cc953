"""The expressions that the dashboards share, in PromQL."""

OURS = 'namespace="$namespace"'
"""Metrics that only framebrush exports."""
FRAMES = "framebrush_frames_out_total"
"""Frames that a stage has given out."""
STAGES = ("splitter", "dispatcher", "scorer", "stitcher", "learner")
Targets = dict[str, str]
"""PromQL by legend; ``{{label}}`` stands for a label's value."""


def of(*stages: str) -> str:
    """A further matcher, with a comma before it: what the pods of these stages export."""
    equals = "=" if len(stages) == 1 else "=~"
    return f', service{equals}"' + "|".join(stages) + '"'


PROCESS = OURS + of(*STAGES)
"""Metrics that every process exports, others in the namespace as well."""


def per_second(metric: str, by: str = "", matchers: str = "") -> str:
    """How fast a counter grows, summed over all pods."""
    return f"sum{_grouped(by)}(rate({metric}{{{OURS}{matchers}}}[$__rate_interval]))"


def grown(metric: str, by: str = "", matchers: str = "") -> str:
    """By how much a counter has grown from point to point of a graph."""
    return f"sum{_grouped(by)}(increase({metric}{{{OURS}{matchers}}}[$__rate_interval]))"


def counted(metric: str, matchers: str = "") -> str:
    """What was counted in the time range, 0 if nothing was.

    Of a pod that began in the range it is the last value, since ``increase`` does not see what a pod counted before its
    first scrape, which of a pod that lives for half a minute is much.
    """
    selector = f"{metric}{{{OURS}{matchers}}}"
    born = f"max_over_time({selector}[$__range]) unless {selector} offset $__range"
    return f"(sum({born} or increase({selector}[$__range])) or vector(0))"


def quantiles(metric: str, *levels: float, by: str = "", matchers: str = "") -> Targets:
    """Quantiles of a histogram, over all pods."""
    rates = per_second(f"{metric}_bucket", ", ".join(filter(None, (by, "le"))), matchers)
    return {
        f"p{level * 100:.0f}" + (f" {{{{{by}}}}}" if by else ""): f"histogram_quantile({level}, {rates})"
        for level in levels
    }


def pods(*stages: str, by: str = "") -> str:
    """The number of pods of these stages that answered Prometheus."""
    return f"count{_grouped(by)}(framebrush_frames_in_total{{{OURS}{of(*stages)}}})"


def exported(metric: str, matchers: str = "", function: str = "") -> str:
    """A metric of another exporter, which tells the namespace itself.

    Who scrapes it decides whether its own label ``namespace`` is called so, or ``exported_namespace``.

    Args:
        metric: Its name.
        matchers: Further matchers, each with a comma before it.
        function: Applied to the growth of a counter: ``rate`` over a point of a graph, ``increase`` over the range.
    """
    window = {"": "", "rate": "[$__rate_interval]", "increase": "[$__range]"}[function]
    series = (f"{metric}{{{own}{matchers}}}{window}" for own in ('exported_namespace="$namespace"', OURS))
    return " or ".join(f"{function}({each})" if function else each for each in series)


def _grouped(by: str) -> str:
    return f" by ({by}) " if by else ""
