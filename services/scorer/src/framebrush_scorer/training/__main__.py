"""Train a style: ``framebrush train --painter ink --out ink.safetensors --steps 4000``."""

import argparse
import sys
from collections.abc import Sequence

from framebrush_scorer.training.options import parse
from framebrush_scorer.training.recipe import Recipe


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train.

    Args:
        arguments: The command line's arguments; by default the process's own. What is wrong with them is printed, and
            ends the process with status 2.
    """
    args, recipe = parse(arguments)
    from framebrush.errors import PermanentError

    try:
        train(args, recipe)
    except (ValueError, OSError, PermanentError) as error:
        sys.stderr.write(f"framebrush train: error: {error}\n")
        sys.exit(2)


def train(args: argparse.Namespace, recipe: Recipe) -> None:
    """Train a network to the end and write its files.

    Args:
        args: The options, as :func:`framebrush_scorer.training.options.parse` returns them.
        recipe: How to train.

    Raises:
        ValueError: The options, the content or the checkpoint cannot be used.
        PermanentError: The picture, the weights to start from, or those of a teacher cannot be used.
        OSError: A file cannot be read or written.

    """
    import torch

    from framebrush_scorer.device import choose_device
    from framebrush_scorer.networks import read_network
    from framebrush_scorer.training.content import files, read_frames
    from framebrush_scorer.training.progress import shown
    from framebrush_scorer.training.teachers import PainterTeacher, Teacher
    from framebrush_scorer.training.trainer import Trainer

    if args.threads:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    teacher: Teacher
    if args.painter:
        teacher = PainterTeacher(args.painter)
    elif args.like:
        from framebrush_scorer.training.like import LikeTeacher

        teacher = LikeTeacher.of_file(args.like)
    elif args.trained is not None:
        from framebrush_scorer.training.trained import TrainedTeacher

        teacher = TrainedTeacher(args.trained)
    else:
        from framebrush_scorer.training.picture import PictureTeacher
        from framebrush_scorer.training.vgg import read_vgg

        teacher = PictureTeacher(args.image, read_vgg(args.vgg), device, args.image_size)
    content = files(args.content)
    learn, keep = read_frames(content)
    start = read_network(args.start) if args.start else None
    origin = {"content": describe([path.name for path in content])}
    if args.start:
        origin["start"] = args.start.name
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with shown(recipe.steps) as report:
        trainer = Trainer(recipe, teacher, learn, keep, args.out, device, start, origin, args.title)
        trainer.run(report, args.save_every)


def describe(names: list[str], most: int = 8) -> str:
    """Return what a card says about the content: the first ``most`` names of its files, and how many more there are."""
    if not names:
        return "generated pictures"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{' '.join(names[:most])}{more}; generated pictures"


if __name__ == "__main__":
    main()
