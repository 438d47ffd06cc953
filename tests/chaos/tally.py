"""The tally of many seeds, as JSON and as a table."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from chaos.scenario import CELLS, SERVICES, Cell
from chaos.verdict import Verdict

MARKS = ("<!-- chaos -->", "<!-- /chaos -->")


@dataclass
class Row:
    """What came out of all seeds in which one thing happened to one victim."""

    seeds: int = 0
    runs: int = 0
    """Runs in these seeds."""
    identical: int = 0
    """Runs with the undisturbed run's bytes in every output."""
    letters: int = 0
    failed: int = 0
    """Seeds with any problem."""
    seconds: list[float] = field(default_factory=list)
    """Of each run that ended, from its submission to its end."""

    def add(self, verdict: Verdict) -> None:
        """Count one seed."""
        self.seeds += 1
        self.runs += len(verdict.runs)
        self.identical += sum(run.identical for run in verdict.runs)
        self.letters += verdict.letters
        self.failed += not verdict.ok
        self.seconds += [run.ended - run.submitted for run in verdict.runs if run.ended]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        times = {"median": round(median(self.seconds), 2), "max": round(max(self.seconds), 2)} if self.seconds else {}
        return {
            "seeds": self.seeds,
            "runs": self.runs,
            "identical": self.identical,
            "letters": self.letters,
            "seeds_with_problems": self.failed,
            "seconds": times,
        }


class Tally:
    """Counts verdicts."""

    def __init__(self) -> None:
        self.rows: dict[Cell, Row] = {cell: Row() for cell in CELLS}
        self.total = Row()
        self.late = 0
        """Disturbances that came when every run had ended."""
        self.problems = Counter[str]()
        self.memory: dict[str, list[int]] = {service: [] for service in SERVICES}
        self.children: dict[str, int] = dict.fromkeys(SERVICES, 0)

    def add(self, verdict: Verdict) -> None:
        """Count a seed: in the total, and in the rows of the disturbances that came while a run was in flight."""
        self.total.add(verdict)
        hit = dict[Cell, None]()
        for index, disturbance in enumerate(verdict.scenario.disturbances):
            if verdict.struck.get(index, 0):
                hit[disturbance.cell] = None
            else:
                self.late += 1
        for cell in hit:
            self.rows[cell].add(verdict)
        self.problems.update(problem.partition(":")[0] for problem in verdict.problems)
        for service, size in verdict.memory.items():
            self.memory[service].append(size)
            self.children[service] = max(self.children[service], verdict.children[service])

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "total": self.total.as_dict(),
            "late": self.late,
            "problems": dict(self.problems.most_common()),
            "cells": [{"kind": c.kind.value, "victim": c.victim} | row.as_dict() for c, row in self.rows.items()],
            "memory_mb": {
                service: {
                    "first": round(sizes[0] / 1e6),
                    "last": round(sizes[-1] / 1e6),
                    "max": round(max(sizes) / 1e6),
                }
                for service, sizes in self.memory.items()
                if sizes
            },
            "children": self.children,
        }


def _extremes(sizes: list[int]) -> dict[str, int]:
    megabytes = [round(size / 1e6) for size in sizes]
    return {"first": megabytes[0], "last": megabytes[-1], "max": max(megabytes)}


def table(tally: dict[str, Any]) -> str:
    """The tally in Markdown, from what :meth:`Tally.as_dict` made."""
    lines = [
        "| what | victim | seeds | runs | identical | dead letters | seeds with problems | seconds, median | max |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(f"`{cell['kind']}`", cell["victim"], cell) for cell in tally["cells"]),
        _line("all seeds", "", tally["total"]),
    ]
    lines += ["", "| service | MB, first seed | last seed | most | child processes of a pod, most |"]
    lines += ["|---|---:|---:|---:|---:|"]
    lines += [
        f"| {service} | {sizes['first']} | {sizes['last']} | {sizes['max']} | {tally['children'][service]} |"
        for service, sizes in tally["memory_mb"].items()
    ]
    found = ", ".join(f"{kind} ({count})" for kind, count in tally["problems"].items())
    return "\n".join([*lines, "", f"Problems: {found or 'none'}."])


def _line(what: str, victim: str, row: dict[str, Any]) -> str:
    times = [f"{row['seconds'][name]:.1f}" if row["seconds"] else "-" for name in ("median", "max")]
    counts = [row[name] for name in ("seeds", "runs", "identical", "letters", "seeds_with_problems")]
    return f"| {' | '.join(map(str, [what, victim, *counts, *times]))} |"


def insert(page: Path, text: str, marks: tuple[str, str] = MARKS) -> None:
    """Replace what stands between the marks of a page.

    Raises:
        ValueError: the page has no such marks.
    """
    before, mark, rest = page.read_text().partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not mark or not end:
        raise ValueError(f"{page} has no section between {marks[0]} and {marks[1]}")
    page.write_text(f"{before}{marks[0]}\n\n{text}\n\n{marks[1]}{after}")
