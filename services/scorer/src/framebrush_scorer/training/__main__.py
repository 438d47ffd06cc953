"""Train a style: ``python -m framebrush_scorer.training --style gouache --out gouache.safetensors --seconds 3000``."""

import argparse
import logging
from pathlib import Path

import torch

from framebrush_scorer.painters import PAINTERS
from framebrush_scorer.precision import choose_device
from framebrush_scorer.training.content import read_frames
from framebrush_scorer.training.trainer import Recipe, Trainer


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m framebrush_scorer.training", description=__doc__)
    parser.add_argument("--style", choices=sorted(PAINTERS), required=True, help="painter to learn from")
    parser.add_argument("--out", type=Path, required=True, help="weights to write, .safetensors; card, preview beside")
    parser.add_argument("--seconds", type=float, default=3000, help="time to train (default: %(default)s)")
    parser.add_argument("--content", type=Path, nargs="*", default=[], help="pictures and short videos to learn from")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    args = parser.parse_args()
    if args.out.suffix != ".safetensors":
        parser.error(f"--out {args.out} must end in .safetensors")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        learn, keep = read_frames(args.content)
        device = choose_device(args.device)
    except ValueError as error:
        parser.error(str(error))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(painter=args.style, seconds=args.seconds, seed=args.seed)
    Trainer(recipe, learn, keep, args.out, device).run()


if __name__ == "__main__":
    main()
