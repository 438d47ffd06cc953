"""The figures as ``docs/benchmarks.md``."""

import json
from pathlib import Path
from typing import Any

DATA, PAGE = Path("docs/benchmarks.json"), Path("docs/benchmarks.md")
"""The figures, and what is written from them."""

TEMPLATE = """# Benchmarks

Written by `make bench` on {date}. Machine: {machine}. Clip: {clip}, 1280x720, {frames} frames, 25 frames/s, with sound.
Absolute times vary between machines and between runs; the ratios are taken within one run.

## Each stage alone

Every service by itself on the whole clip, one after the other, as a process with the broker and Azurite beside it.

| service | model | frames/s | start to ready | peak memory | what limits it |
|---|---|---:|---:|---:|---|
{stages}

A scorer with `{style}` reaches **{scorer_share:.0%}** of the bare model's {bare:.2f} frames/s, that is of the model
called in a loop on arrays in memory.

## The whole

| what | seconds | against ffmpeg |
|---|---:|---:|
| `identity`, from trigger to the end of the run (median of {times}) | {wall:.2f} | **{ratio:.2f}** |
| ffmpeg: decode → JPEG files → H.264 with the same settings, sound copied (median) | {ffmpeg:.2f} | 1 |
| `{style}`, once | {styled:.1f} | |

Single runs, `identity` against ffmpeg in turns: {pairs}.

## Memory against the length of the video

Peak resident set in MB, `identity`, 1280x720, measured on {memory_date}.

| service | 10 s | 2 min | ratio |
|---|---:|---:|---:|
{memory}

## The local broker

One message at a time, {processes} client processes on the same cores, 200 further connections open.

| what | messages/s |
|---|---:|
| sent | {sent:.0f} |
| received and completed | {settled:.0f} |
"""

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
            cells += [f"{a:.2f}", f"{b:.2f}", f"{b / a:.2f}"]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return COMPARED.format(**{**result, "rows": "\n".join(rows)})


def write(result: dict[str, Any]) -> None:
    """Write the figures and the page."""
    DATA.write_text(json.dumps(result, indent=2) + "\n")
    rows, frames, style = list[str](), result["frames"], result["style"]
    for model in ("identity", style):
        for name, stage in result[f"stages {model}"].items():
            if model == style and name != "scorer":
                continue
            speed = f"{frames / stage['seconds']:.1f}" if stage["seconds"] else "-"
            shown = f"`{model}`" if name == "scorer" else ""
            start, memory = stage["startup"], stage["memory"]
            rows.append(f"| {name} | {shown} | {speed} | {start:.1f} s | {memory:.0f} MB | {LIMITS[name]} |")
    whole, long, short = result["identity"], result["memory"]["120"], result["memory"]["10"]
    text = TEMPLATE.format(
        date=result["date"],
        machine=result["machine"],
        clip=result["clip"],
        frames=frames,
        style=style,
        stages="\n".join(rows),
        bare=result["bare model"],
        scorer_share=frames / result[f"stages {style}"]["scorer"]["seconds"] / result["bare model"],
        times=len(whole["walls"]),
        wall=sorted(whole["walls"])[len(whole["walls"]) // 2],
        ffmpeg=sorted(whole["ffmpeg"])[len(whole["ffmpeg"]) // 2],
        ratio=whole["ratio"],
        pairs=", ".join(f"{a:.2f}/{b:.2f}" for a, b in zip(whole["walls"], whole["ffmpeg"], strict=True)),
        styled=result["styled wall"],
        memory_date=result["memory"]["date"],
        memory="\n".join(f"| {n} | {short[n]:.0f} | {long[n]:.0f} | {long[n] / short[n]:.2f} |" for n in short),
        processes=2,
        sent=result["broker"]["sent"],
        settled=result["broker"]["settled"],
    )
    sections = [text, images(result["images"])] if "images" in result else [text]
    sections += [compared(result["compared"])] if "compared" in result else []
    PAGE.write_text("".join(sections) + Path(__file__).with_name("notes.md").read_text())
