"""The report of a run as a page: where it is, and what it says."""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from framebrush.contracts import BlobRef
from framebrush.runs import Outputs
from support.pipeline import Pipeline

UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def run(film: bytes, settings: Mapping[str, int] | None = None, **options: Any) -> Pipeline:
    """A run of a film that keeps its frames and has a page."""
    sizes = {"segment_frames": 12} if settings is None else settings
    pipeline = Pipeline(
        **sizes, keep_frames=True, stitcher={"keep_frames": True, "report_page": True, "price_cpu_hour": 7.0}
    )
    source = pipeline.put("film.mp4", film)
    pipeline.submit(source, run_id="film", preset="ultrafast", batch_frames=8, **options)
    assert pipeline.run().state == "succeeded"
    return pipeline


def page_ref(pipeline: Pipeline) -> BlobRef:
    """The page of the only run."""
    status = pipeline.status()
    assert status.output
    page = Outputs(pipeline.runs).page(status.run_id, status.output)
    assert page
    return page


def page_of(pipeline: Pipeline) -> str:
    """The content of the page of the only run."""
    return pipeline.store.read(page_ref(pipeline)).decode()


def figures_in(page: str) -> dict[str, Any]:
    """The figures of a page for programs."""
    (text,) = re.findall(r'id="figures">(.*?)</script>', page)
    found: dict[str, Any] = json.loads(text)
    return found


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables, self.tiles, self._label = dict[str, list[list[str]]](), dict[str, str](), ""
        self._cell: list[str] | None = None
        self._names = list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if facts.get("role") == "region":
            self._label = facts.get("aria-label") or ""
        if tag == "table":
            self.tables[facts.get("class") or self._label] = []
        elif tag == "tr":
            list(self.tables.values())[-1].append([])
        elif tag in ("td", "th", "dt", "dd"):
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._cell is None or tag not in ("td", "th", "dt", "dd"):
            return
        text, self._cell = "".join(self._cell).strip(), None
        if tag == "dt":
            self._names.append(text)
        elif tag == "dd":
            self.tiles[self._names[-1]] = text
        else:
            list(self.tables.values())[-1][-1].append(text)


def shown(page: str) -> tuple[dict[str, str], dict[str, list[list[str]]]]:
    """What a page shows: the figures at the top by their names, and the rows of each table without its heading."""
    parser = _Tables()
    parser.feed(page)
    return parser.tiles, {name: [row for row in rows if row[0] not in ("", "check", "stage", "what waited")]
                          for name, rows in parser.tables.items()}  # fmt: skip


def amount(text: str) -> float:
    """The number that a text means: seconds or bytes where it has a unit."""
    parts = text.replace(",", "").split()
    if len(parts) == 1:
        return float(parts[0])
    return sum(float(number) * UNITS[unit] for number, unit in zip(parts[::2], parts[1::2], strict=True))
