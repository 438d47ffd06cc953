"""What came out of one seed."""

from dataclasses import dataclass, field

from chaos.scenario import Scenario


@dataclass
class Run:
    """A run, as far as it is known from outside. Times are seconds after the begin of the trial."""

    run_id: str
    models: tuple[str, ...]
    delay: float
    submitted: float = 0.0
    """0 while it is not."""
    ended: float = 0.0
    """0 while it has not."""
    state: str = ""
    """As the status tells; empty while there is none."""
    identical: bool = False
    """Whether all outputs have the bytes of an undisturbed run's."""

    @property
    def blob(self) -> str:
        """The name of its input."""
        return f"{self.run_id}.mp4"


@dataclass
class Verdict:
    """What came out of a seed."""

    scenario: Scenario
    runs: list[Run]
    seconds: float = 0.0
    """From the begin until all runs had ended."""
    struck: dict[int, int] = field(default_factory=dict)
    """Index of a disturbance → how many runs were in flight when it came."""
    letters: int = 0
    problems: list[str] = field(default_factory=list)
    """``kind: what``."""
    events: list[str] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    """Bytes of each service's pods with their children; a page that processes share is counted once (PSS)."""
    children: dict[str, int] = field(default_factory=dict)
    """Most child processes of a pod of each service, after the end."""

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.problems

    @property
    def stuck(self) -> bool:
        """Whether the installation is no good for another seed."""
        return any(problem.startswith(("stands still", "not settled")) for problem in self.problems)
