"""What documents name exists: files and headings that they link to, commands with their options, targets of make."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from typer.core import TyperGroup

from framebrush.styles import GROUP
from framebrush_cli import menu
from framebrush_scorer.models import load
from framebrush_scorer.pipeline import score
from framebrush_splitter.settings import SplitterSettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("charts/*/*.md"), *ROOT.glob("services/*/*.md")]
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PASSED_ON = {"train", "quality"}


def anchors(path: Path) -> set[str]:
    """The anchors of a document: those of its headings, as GitHub makes them, and those that it sets itself."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each) for each in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    headings = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in titles}
    return headings | set(re.findall(r'<a id="([^"]+)"', text))


def code(text: str) -> Iterator[str]:
    """The lines of the shell in a document, and its spans of code."""
    for block in re.findall(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", rest)


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The arguments of each call of a program."""
    for line in code(text):
        for part in re.split(r"&&|\||;", line.partition(" #")[0]):
            if match := re.match(rf"\s*(?:\$ )?{program} (\S.*)", part):
                yield shlex.split(re.sub(r"[<>].*", "", match[1]))


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist_with_their_options(name: str) -> None:
    for arguments in commands((ROOT / name).read_text(), "framebrush"):
        command, *rest = arguments
        if command.startswith("-") or "…" in rest or "..." in rest:
            continue
        assert command in menu.COMMANDS, arguments
        if command in PASSED_ON:
            continue
        check(menu.load(command), rest, arguments)


def check(command: object, rest: list[str], arguments: list[str]) -> None:
    """Each option that a call names exists."""
    if isinstance(command, TyperGroup):
        if not rest:
            return
        assert rest[0] in command.commands, arguments
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}  # type: ignore[attr-defined]
    if "--output" in known and command.name == "style":  # type: ignore[attr-defined]
        known |= {option for each in menu.load("submit").params for option in (*each.opts, *each.secondary_opts)}
    given = {each.partition("=")[0] for each in rest if each.startswith("--")}
    assert given <= known | {"--help"}, arguments


@pytest.mark.parametrize("name", NAMES)
def test_targets_of_make_exist(name: str) -> None:
    for arguments in commands((ROOT / name).read_text(), "make"):
        for each in arguments:
            if re.fullmatch(r"[a-z0-9-]+", each):
                assert each in TARGETS, arguments


def test_something_is_checked() -> None:
    texts = [path.read_text() for path in DOCUMENTS]
    assert sum(len(list(commands(text, "framebrush"))) for text in texts) > 50
    assert sum(len(list(commands(text, "make"))) for text in texts) > 20


def test_the_costs_are_those_of_the_benchmark() -> None:
    costs = json.loads((ROOT / "docs/benchmarks.json").read_text())["simulation"]["costs"]
    found = {
        (each["card"], each["height"]): sum(each[part] for part in ("GPU", "CPU", "storage", "bus")) for each in costs
    }
    text = (ROOT / "docs/costs.md").read_text()
    rows = re.findall(r"^\| ([A-Z]\w+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    told = {(card, height): cents for card, *both in rows for height, cents in zip((720, 1080), both, strict=True)}
    assert told == {key: f"{100 * dollars:.2f}" for key, dollars in found.items()}
    assert f"${180 * found['T4', 720]:.2f}" in text
    ceiling = SplitterSettings.model_fields["max_run_pixels"].default
    price = found["T4", 720] / 1000 / (1280 * 720)
    for name in ("costs", "operations"):
        assert f"about ${ceiling * price:.0f}" in (ROOT / f"docs/{name}.md").read_text()
    [(dollars, pixels)] = re.findall(r"For a ceiling of \$(\d+), set (\d) . 10\^11", text)
    assert float(pixels) * 1e11 * price == pytest.approx(float(dollars), rel=0.05)


def test_zero_or_warm_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the benchmark's figures, the simulation's prices, the chart's cooldown and the autoscaler's patience."""
    monkeypatch.syspath_prepend(ROOT / "tests/bench")
    cards = importlib.import_module("simulation").CARDS
    figures = json.loads((ROOT / "docs/benchmarks.json").read_text())
    text = (ROOT / "docs/costs.md").read_text()
    start = int(re.findall(r"that a node takes to come: (\d+) here", text)[0])
    [patience] = re.findall(
        r'scale_down_unneeded_time="(\d+)m"', (ROOT / "k8s/azure/src/framebrush_azure/cluster.py").read_text()
    )
    values = yaml.safe_load((ROOT / "charts/framebrush/values.yaml").read_text())
    assert "cooldownPeriod" not in values["services"]["scorer"]["scaling"]
    cooldown = values["defaults"]["scaling"]["cooldownPeriod"]
    stays = cooldown / 60 + int(patience)
    pause = start + stays
    assert f"{stays:.0f} with the chart's default of {cooldown} s" in text
    assert f"the {patience} minutes of the autoscaler" in text
    scorer = figures["images"]["services"]["scorer"]
    assert f"[{scorer['ready']:.1f} s](benchmarks.md#images)" in text
    assert f"{scorer['packed'] / 1000:.1f} GB to pull" in text

    rows = []
    for each in figures["simulation"]["costs"]:
        if each["height"] == 720:
            price = cards[each["card"]].price
            frames = 1000 * price * pause / 60 / sum(each[part] for part in ("GPU", "CPU", "storage", "bus"))
            rows.append(
                f"| {each['card']} | {price:.2f} | {100 * price * pause / 60:.1f} | {round(frames, -3):,.0f} "
                f"| {24 * price:.2f} |"
            )
    assert "\n".join(rows) in text

    table = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) times \|$", text, re.MULTILINE)
    assert str(cooldown) in [row[0] for row in table]
    for seconds, *told in table:
        linger = int(seconds) / 60 + int(patience)
        # Just after the node has left: it has stayed for nothing. In hindsight, it had stayed, or had left at once.
        worst = (linger + start) / min(linger, start)
        assert told == [f"{linger:.0f}", f"{linger + start:.0f}", f"{worst:.1f}"]
    for name in ("costs", "azure"):
        assert f"{pause:.0f} minutes" in (ROOT / f"docs/{name}.md").read_text()
    [(day, office)] = re.findall(r"More than (\d+) batches spread evenly over a day, or (\d+) over ten hours", text)
    assert (int(day), int(office)) == (24 * 60 // pause, 10 * 60 // pause)


def test_the_model_of_the_document_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs/your-own-model.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    module = ModuleType("my_package")
    exec(program, vars(module))
    monkeypatch.setitem(sys.modules, "my_package", module)
    [(name, value)] = re.findall(
        r'^(\w+) = "(my_package:\w+)"$', (ROOT / "docs/your-own-model.md").read_text(), re.MULTILINE
    )
    entry = EntryPoint(name, value, GROUP)
    monkeypatch.setattr("framebrush_scorer.models.registry.entry_points", lambda **_: [entry])
    model = load(name)
    frames = np.zeros((2, 32, 48, 3), np.uint8)
    frames[:, :, 24:] = 255
    edges = score(model, frames)
    assert [edge.shape for edge in edges] == [(32, 48, 3)] * 2  # type: ignore[union-attr]
    assert all(40 < edge.sum() / 255 < 400 for edge in edges)  # type: ignore[union-attr]


@pytest.mark.timeout(120)
def test_the_site_can_be_built(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "index.html").read_text()
    assert "Your first film on Azure" in page
    assert not re.search(r'(?:src|href)="https?://(?:fonts|cdn|unpkg)', page)


def test_the_runbook_knows_every_reason_and_names_panels_that_exist() -> None:
    runbook, contracts = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("runbook", "contracts"))
    section = contracts.partition("## Reasons")[2]
    reasons = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert len(reasons) > 20
    assert reasons <= set(re.findall(r"`(\w+)`", runbook))
    boards = "".join(path.read_text() for path in (ROOT / "charts/framebrush/dashboards").glob("*.json"))
    titles = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", runbook))
    assert titles
    assert all(json.dumps(title) in boards for title in titles)
