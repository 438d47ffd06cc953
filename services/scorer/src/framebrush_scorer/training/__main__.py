"""Train a style: ``framebrush train --painter ink --out ink.safetensors --steps 4000``."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from framebrush_scorer.training.options import parse
from framebrush_scorer.training.recipe import Recipe

INTERRUPTED = 130
"""The exit code of a training that was stopped: 128 and the number of SIGINT, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train.

    Args:
        arguments: The command line's arguments; by default the process's own. What is wrong with them is printed, and
            ends the process with status 2.
    """
    args, recipe = parse(arguments)
    try:
        from framebrush.errors import PermanentError

        try:
            note = train(args, recipe)
        except (ValueError, OSError, PermanentError) as error:
            sys.stderr.write(f"framebrush train: error: {error}\n")
            sys.exit(2)
    except KeyboardInterrupt:  # It came before the first step, or is the second one.
        saved = args.out.with_suffix(".checkpoint").exists()
        note = f"the same command goes on from {args.out.stem}.checkpoint" if saved else "nothing was learned yet"
    if note:
        sys.stderr.write(f"framebrush train: stopped: {note}\n")
        sys.exit(INTERRUPTED)


def train(args: argparse.Namespace, recipe: Recipe) -> str | None:
    """Train a network and write its files: to the end, or until an interrupt (Ctrl-C) comes.

    Args:
        args: The options, as :func:`framebrush_scorer.training.options.parse` returns them.
        recipe: How to train.

    Returns:
        What a person should know who has stopped it; None if the training has come to its end.

    Raises:
        KeyboardInterrupt: The interrupt came before the training, or is the second one.
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
    if args.strokes is not None:
        teacher.strokes = args.strokes
    content = files(args.content)
    learn, keep = read_frames(content)
    start = read_network(args.start) if args.start else None
    origin = {"content": describe([path.name for path in content])}
    if args.start:
        origin["start"] = args.start.name
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with shown(recipe.steps) as report:
        trainer = Trainer(recipe, teacher, learn, keep, args.out, device, start, origin, args.title)
        with interrupts() as interrupted:
            if trainer.run(report, args.save_every, stop=interrupted):
                return None
    learned = f"{args.out} has what was learned in {trainer.step} of {recipe.steps} steps"
    return f"{learned}, and the same command goes on with it"


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Keep an interrupt (Ctrl-C) from breaking into a step or into a file that is being written.

    Yields:
        A function that returns whether an interrupt has come. The second one is raised as usual.
    """
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)


def describe(names: list[str], most: int = 8) -> str:
    """Return what a card says about the content: the first ``most`` names of its files, and how many more there are."""
    if not names:
        return "generated pictures"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{' '.join(names[:most])}{more}; generated pictures"


if __name__ == "__main__":
    main()
