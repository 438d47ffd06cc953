"""Train a style: ``framebrush train --painter ink --out ink.safetensors --steps 4000``."""

import argparse
import logging
from pathlib import Path

import torch

from framebrush_scorer.errors import InvalidWeights
from framebrush_scorer.painters import PAINTERS
from framebrush_scorer.precision import choose_device
from framebrush_scorer.training.content import read_frames
from framebrush_scorer.training.teachers import PainterTeacher
from framebrush_scorer.training.trainer import Recipe, Trainer
from framebrush_scorer.weights import read_network


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="framebrush train", description=__doc__)
    parser.add_argument("--painter", choices=sorted(PAINTERS), required=True, help="painter to learn from")
    parser.add_argument("--out", type=Path, required=True, help="weights to write, .safetensors; card, preview beside")
    parser.add_argument("--content", type=Path, nargs="*", default=[], help="pictures and short videos to learn from")
    parser.add_argument("--start", type=Path, help="weights to start from instead of random ones")
    parser.add_argument("--save-every", type=float, default=60, help="seconds between checkpoints (default: 60)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    for field, value in vars(Recipe(steps=4000)).items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=type(value), default=value, help=f"default: {value}")
    args = parser.parse_args()
    if args.out.suffix != ".safetensors":
        parser.error(f"--out {args.out} must end in .safetensors")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.threads:
        torch.set_num_threads(args.threads)
    recipe = Recipe(**{field: getattr(args, field) for field in Recipe.__dataclass_fields__})
    args.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        learn, keep = read_frames(args.content)
        start = read_network(args.start) if args.start else None
        device = choose_device(args.device)
        trainer = Trainer(recipe, PainterTeacher(args.painter), learn, keep, args.out, device, start)
    except (ValueError, InvalidWeights) as error:
        parser.error(str(error))
    trainer.run(save_every=args.save_every)


if __name__ == "__main__":
    main()
