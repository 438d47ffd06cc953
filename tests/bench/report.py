"""The figures as ``docs/benchmarks.md``."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

DOCS = Path("docs")
"""The folder of the figures, and of the page that is written from them."""

TEMPLATE = Path(__file__).with_name("page.md").read_text()

TWO_HOURS = 172_800
"""The frames of a film of two hours, at 24 frames/s."""

LIMITS = {
    "splitter": "JPEG encoding and colour conversion",
    "dispatcher": "nothing: it reads and writes messages",
    "scorer": "the model; with identity, JPEG both ways",
    "stitcher": "x264",
}


IMAGES = """
## Images

Written by `make bench-images` on {date}. Machine: {machine}. *Compressed* is what a node without any of it pulls. Times
are seconds from the start of the container, medians with warm caches; the broker and Azurite run beside it.
*First message* is when the first one is settled, of no run and so with nothing to do. *Imports*: what
Python itself counts for all of them, and for the longest, in a further start.

| image | MB | compressed MB | ready | first message | imports |
|---|---:|---:|---:|---:|---|
{rows}
"""


def images(result: dict[str, Any]) -> str:
    """The section on images."""
    rows = list[str]()
    for name, each in result["services"].items():
        imports = {module: f"{seconds:.1f} s" for module, seconds in each["imports"].items()}
        longest = ", ".join(f"{module} {seconds}" for module, seconds in imports.items() if module != "all")
        rows.append(
            f"| {name} | {each['megabytes']:.0f} | {each['packed']:.0f} | {each['ready']:.1f} s | "
            f"{each['handled']:.1f} s | {imports['all']}: {longest} |"
        )
    return IMAGES.format(date=result["date"], machine=result["machine"], rows="\n".join(rows))


COMPARED = """
## The process in which inputs are opened

Written by `make bench-compare BEFORE={before}` on {date}. Machine: {machine}. The clip above, handlers without
broker and Azurite, x264's fastest preset, before and after inputs were opened in a process of their own and outputs
could be chosen; the versions in turns, medians of {runs} runs each, in seconds by the clock and of CPU;
where other work shares the machine the latter say more.

| | before | after | ratio | CPU before | CPU after | ratio |
|---|---:|---:|---:|---:|---:|---:|
{rows}
"""


def compared(result: dict[str, Any]) -> str:
    """The section on what opening inputs elsewhere costs."""
    steps = {name: (name,) for name in result["before_seconds"]} | {
        "splitter: plan, decode": ("plan", "decode"),
        "stitcher: encode, join": ("encode", "join"),
    }
    rows = list[str]()
    for name, parts in steps.items():
        cells = list[str]()
        for kind in ("wall", "cpu"):
            a, b = (sum(result[each][part][kind] for part in parts) for each in ("before_seconds", "after_seconds"))
            cells += [f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}" if a else "-"]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return COMPARED.format(**{**result, "rows": "\n".join(rows)})


PEERS = """
## Beside other ways

Written by `make bench-peers` on {date}. Machine: {machine}. All {frames} frames of the clip at 640x360, with its sound,
in the style `{style}`, with the same network, and the start of everything included; by the clock, once each.

| way | seconds | frames/s |
|---|---:|---:|
{rows}

What the others leave out of their output: times of frames that are not evenly spaced, and colours by the film's tags.
None of them goes on where it was after it was killed.
"""
WAYS = {
    "framebrush": "framebrush: `framebrush style`, which starts and stops the four services, Azurite and the broker",
    "reference": "as the reference architecture has it: a message for each frame, the network loaded for each message",
    "script": "a plain script: ffmpeg, onnxruntime, ffmpeg",
    "ray": "Ray Data with onnxruntime, one actor",
}


def peers(result: dict[str, Any]) -> str:
    """The section on other ways to do it."""
    frames, seconds = result["frames"], result["seconds"]
    rows = [f"| {words} | {seconds[way]:.1f} | {frames / seconds[way]:.2f} |" for way, words in WAYS.items()]
    return PEERS.format(**{**result, "rows": "\n".join(rows)})


def load(folder: Path) -> dict[str, Any]:
    """The figures that are there."""
    path = folder / "benchmarks.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def write(result: dict[str, Any], folder: Path = DOCS) -> Path:
    """Write the figures and the page; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(result, indent=2) + "\n")
    sections = [measured(result)] if "frames" in result else ["# Benchmarks\n"]
    sections += [peers(result["peers"])] if "peers" in result else []
    sections += [images(result["images"])] if "images" in result else []
    sections += [compared(result["compared"])] if "compared" in result else []
    page = folder / "benchmarks.md"
    page.write_text("".join(sections) + Path(__file__).with_name("notes.md").read_text())
    return page


def measured(result: dict[str, Any]) -> str:
    """The sections of ``make bench``."""
    frames, style, bare = result["frames"], result["style"], result["bare model"]
    whole, broker = result["identity"], result["broker"]
    (short_name, short), *_, (long_name, long) = 2 * tuple(result["memory"]["films"].items())
    return TEMPLATE.format(
        date=result["date"],
        minutes=result["minutes"],
        machine=result["machine"],
        clip=result["clip"],
        frames=frames,
        style=style,
        stages="\n".join(stage_rows(result, frames, style)),
        small=f"{bare['width']}x{bare['height']}",
        painting=bare["painting"],
        network=bare["network"],
        scorer_share=frames / result[f"stages {style}"]["scorer"]["seconds"] / bare["painting"],
        times=len(whole["walls"]),
        wall=median(whole["walls"]),
        ratio=whole["ratio"],
        cpu=median(whole["cpu"]),
        cpu_ratio=whole["cpu ratio"],
        services_cpu=median(whole["services cpu"]),
        services_ratio=whole["services cpu ratio"],
        ffmpeg=median(whole["ffmpeg"]),
        ffmpeg_cpu=median(whole["ffmpeg cpu"]),
        pairs=", ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(whole["walls"], whole["ffmpeg"], strict=True)),
        parts=", ".join(f"{name} {seconds:.1f}" for name, seconds in whole["cpu by part"].items()),
        styled=result["styled wall"],
        counts="\n".join(count_rows(whole["counts"], whole["counted frames"])),
        memory_date=result["memory"]["date"],
        short_name=short_name,
        long_name=long_name,
        memory="\n".join(f"| {n} | {short[n]:.0f} | {long[n]:.0f} | {long[n] / short[n]:.2f} |" for n in short),
        **lengths(result["lengths"]),
        simulated=f"{result['simulation']['frames']:,}",
        speedups="\n".join(speedup_rows(result["simulation"])),
        costs="\n".join(cost_rows(result["simulation"]["costs"])),
        processes=2,
        connections=broker["connections"],
        sent=broker["sent"],
        settled=broker["settled"],
    )


def lengths(found: dict[str, Any]) -> dict[str, Any]:
    """What planning and joining take by the length of a film."""
    cells: dict[str, Any] = {"lengths": " and ".join(f"{frames:,}" for frames in found["frames"])}
    for step in ("plan", "join"):
        begin, frame = found["begin"][step], found["frame"][step]
        cells |= {f"{step}_begin": begin, f"{step}_frames": 1000 * frame, f"{step}_film": begin + TWO_HOURS * frame}
    return cells


def stage_rows(result: dict[str, Any], frames: int, style: str) -> Iterator[str]:
    """The rows of the stages: all with ``identity``, and the scorer with the style."""
    for model in dict.fromkeys(("identity", style)):
        for name, stage in result[f"stages {model}"].items():
            if model != "identity" and name != "scorer":
                continue
            speed = f"{frames / stage['seconds']:.1f}" if stage["seconds"] else "-"
            cells = [name, f"`{model}`" if name == "scorer" else "", speed, f"{stage['startup']:.1f} s"]
            cells += [f"{stage['cpu']:.1f}", f"{stage['memory']:.0f} MB", LIMITS[name]]
            yield f"| {' | '.join(cells)} |"


def speedup_rows(simulation: dict[str, Any]) -> Iterator[str]:
    """The rows of the simulation: with as many pods as it takes, and with the chart's."""
    for free, chart in zip(simulation["free"], simulation["chart"], strict=True):
        cells = [str(free["scorers"])]
        for each in (free, chart):
            cells += [f"{each['splitters']}, {each['stitchers']}", f"{each['seconds']:,.0f}", f"{each['speed-up']:.1f}"]
            cells += [f"{each['limit']} ({each['busy']:.0%})"]
        yield f"| {' | '.join(cells)} |"


def cost_rows(costs: list[dict[str, Any]]) -> Iterator[str]:
    """The rows of what 1,000 frames cost."""
    for each in costs:
        parts = [each[name] for name in ("GPU", "CPU", "storage", "bus")]
        shown = [f"{100 * dollars:.3f}" for dollars in (*parts, sum(parts))]
        share = (each["storage"] + each["bus"]) / each["GPU"]
        yield f"| {each['card']} | {each['height']} | {' | '.join(shown)} | {share:.0%} |"


def count_rows(counts: dict[str, int], frames: int) -> Iterator[str]:
    """The rows of what a run moves."""
    for name, count in sorted(counts.items()):
        kind, _, what = name.partition(" ")
        each = 1000 * count / frames
        if kind == "bytes":
            yield f"| MB {what} | {each / 1e6:.0f} |"
        elif kind == "storage":
            yield f"| requests to storage: {what} | {each:.0f} |"
    yield f"| messages | {1000 * counts['messages'] / frames:.0f} |"
    yield f"| operations of the bus | {3000 * counts['messages'] / frames:.0f} |"
