"""framebrush: restyles films and pictures with neural networks.

Two functions are all that a program needs::

    import framebrush

    framebrush.style("film.mp4", style="starry", output="film.starry.mp4")  # the whole of it: every frame, its sound
    painted = framebrush.load("starry")(frames)  # pictures in memory, uint8 (N, H, W, 3)
    painted = framebrush.load("painting.jpg")(frames)  # like a picture

Both are functions of the package framebrush-cli, and ``load`` needs that of the scorer, too. They are imported when
they are asked for, so that services do without. The packages below this one are what all services share.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

__all__ = ["load", "style"]

PLACES = {
    "load": ("framebrush_cli.commands.load", "load", "cli[preview]"),
    "style": ("framebrush_cli.commands.film", "style", "cli"),
}
"""The module of each function, its name there, and the folder of the package below ``services``."""


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function, package = PLACES[name]
    if find_spec(module.partition(".")[0]) is None:
        raise ImportError(
            f"framebrush.{name} is in the package framebrush-cli: run `make setup` in a checkout of framebrush, "
            f"or `uv pip install './services/{package}'` there",
            name=module,
        )
    return getattr(import_module(module), function)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
