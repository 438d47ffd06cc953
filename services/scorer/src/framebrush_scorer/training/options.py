"""Reads the command line of ``framebrush train``. It needs no torch, so that help and mistakes are shown at once."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from framebrush_scorer.painters import PAINTERS
from framebrush_scorer.training.recipe import Recipe


def parse(arguments: Sequence[str] | None = None) -> tuple[argparse.Namespace, Recipe]:
    """Return the options and the recipe that the command line's arguments ask for.

    Args:
        arguments: The arguments; by default the process's own. Wrong ones end the process with status 2.

    """
    parser = argparse.ArgumentParser(
        prog="framebrush train",
        usage="%(prog)s (--painter NAME | --image FILE | --like FILE | --trained N) --out FILE.safetensors [OPTIONS]",
        epilog="Example: framebrush train --like starry_night.jpg --content holiday.mp4 --out starry-night.safetensors",
        description="Train a style, from a painter or a picture. The same command goes on with one that was killed.",
    )
    teacher = parser.add_mutually_exclusive_group(required=True)
    teacher.add_argument("--painter", choices=PAINTERS, help="painter to learn from")
    teacher.add_argument("--image", type=Path, help="picture whose style to learn; needs VGG16's weights")
    teacher.add_argument("--like", type=Path, help="picture to paint like, as --style-image does; needs --content")
    teacher.add_argument("--trained", type=int, help="style, 0 to 25, of the network that has 26; as --like")
    parser.add_argument("--title", help="line of the card that tells what the style is (default: the teacher's)")
    parser.add_argument("--out", type=Path, required=True, help="weights to write, .safetensors; card, preview beside")
    parser.add_argument("--content", type=Path, nargs="*", default=[], help="pictures, short videos, folders of them")
    parser.add_argument("--start", type=Path, help="weights to start from instead of random ones")
    parser.add_argument("--image-size", type=int, help="longer edge to which the picture is brought: size of the brush")
    parser.add_argument("--vgg", type=Path, help="file with torchvision's VGG16 weights (default: downloaded)")
    parser.add_argument(
        "--strokes",
        action=argparse.BooleanOptionalAction,
        help="lay paintings in strokes that follow the shapes (default: with --like)",
    )
    parser.add_argument("--save-every", type=float, default=60, help="seconds between checkpoints (default: 60)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    for field, value in vars(Recipe(steps=4000)).items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=type(value), default=value, help=f"default: {value}")
    args = parser.parse_args(arguments)
    if args.out.suffix != ".safetensors":
        parser.error(f"--out {args.out} must end in .safetensors")
    for name in ("image", "like"):
        path = getattr(args, name)
        if path and not path.is_file():
            parser.error(f"--{name} {path}: there is no such file")
    try:
        return args, Recipe(**{field: getattr(args, field) for field in Recipe.__dataclass_fields__})
    except ValueError as error:
        parser.error(str(error))
