"""What the styles say of themselves that come with the scorer."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def shipped_cards() -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the names and the cards of the shipped styles; none where the scorer is not installed."""
    spec = find_spec("framebrush_scorer")
    if spec is None or spec.origin is None:
        return
    for path in sorted((Path(spec.origin).parent / "styles").glob("*.json")):
        yield path.stem, json.loads(path.read_bytes())


def shipped_titles() -> dict[str, str]:
    """Return the line of each shipped style that tells a person what it is."""
    return {name: str(card["title"]) for name, card in shipped_cards() if card.get("title")}
