"""A hook of MkDocs: files of the repository that the documents link to become part of the site."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PLACE = "repository/"
"""The folder of the site with the files that are not in ``docs``."""
LINK = re.compile(r"\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the files outside ``docs`` that a page links to, and those that these link to."""
    waiting = [Path("docs", each.src_uri) for each in files if each.src_uri.endswith(".md")]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        for target in _targets(page):
            if target in seen or target.parts[0] == "docs":
                continue
            seen.add(target)
            source = str(ROOT / target)
            files.append(File.generated(config, f"{PLACE}{target}", abs_src_path=source))
            if target.suffix == ".md":
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links lead to where the files are in the site. A link to what the site does not have becomes plain text."""
    here = _in_repository(page.file.src_uri)

    def rewritten(match: re.Match[str]) -> str:
        target = _target(here, match[1])
        if target is None:
            return "](#)" if match[1] else match[0]
        uri = str(target.relative_to("docs")) if target.parts[0] == "docs" else f"{PLACE}{target}"
        return f"]({posixpath.relpath(uri, posixpath.dirname(page.file.src_uri) or '.')}{match[2] or ''})"

    return LINK.sub(rewritten, markdown)


def _in_repository(uri: str) -> Path:
    return Path(uri.removeprefix(PLACE)) if uri.startswith(PLACE) else Path("docs", uri)


def _targets(page: Path) -> Iterator[Path]:
    for link, _ in LINK.findall((ROOT / page).read_text()):
        if (target := _target(page, link)) is not None:
            yield target


def _target(page: Path, link: str) -> Path | None:
    """Return the file that a link of a page means, relative to the repository; of a folder its README; else None."""
    path = Path(posixpath.normpath(str(page.parent / link)))
    if (ROOT / path).is_dir():
        path /= "README.md"
    return path if (ROOT / path).is_file() else None
