"""The same as ``script.py`` by Ray Data, as its guide to batch inference has it. Usage: by_ray.py MODEL FILM OUTPUT."""

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reads it when it is imported.

import ray
from films import BATCH, Frames, read, write
from session import Painter


class Predictor:
    """The class that Ray calls in an actor."""

    def __init__(self, model: str) -> None:
        self._paint = Painter(model)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Paint a batch."""
        return {"number": batch["number"], "frame": self._paint(batch["frame"])}


def frames_of(film: str) -> Iterator[dict[str, Any]]:
    """The rows of the dataset."""
    number = 0
    for frames in read(film):
        for frame in frames:
            yield {"number": number, "frame": frame}
            number += 1


def start() -> None:
    """Start Ray, which gives up after 30 s: too few where other work shares the machine."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    for attempt in reversed(range(3)):
        try:
            ray.init(runtime_env={"env_vars": {"PYTHONPATH": here}}, include_dashboard=False, logging_level="error")
        except Exception:
            if not attempt:
                raise
            ray.shutdown()
        else:
            return


if __name__ == "__main__":
    model, film, output = sys.argv[1:]
    start()
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    painted = ray.data.from_items(list(frames_of(film)), override_num_blocks=BATCH).map_batches(
        Predictor, fn_constructor_args=(model,), batch_size=BATCH, concurrency=1, num_cpus=1
    )
    batches: Iterator[Frames] = (batch["frame"] for batch in painted.iter_batches(batch_size=BATCH))
    write(output, film, batches)
