"""Who may do what: the calls of every service, and the roles that cover them and no more.

A table and not a guess: tests run a film through the services with a store and queues that record who calls what, and
compare.
"""

from dataclasses import dataclass
from enum import StrEnum

from framebrush_azure.chart import SERVICES


class Role(StrEnum):
    """Built-in roles of Azure, by the ids of their definitions."""

    BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    BLOB_DELEGATOR = "db58b8e5-c6ad-4a2a-8342-4190687cbf4a"
    BUS_SENDER = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
    BUS_RECEIVER = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"
    BUS_OWNER = "090c5cfd-751d-490a-894a-3ce6f1109419"
    REGISTRY_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
    NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
    MONITORING_READER = "b0d8363b-8ddd-447d-831f-62ca05bff136"
    GRAFANA_ADMIN = "22926164-76b3-42b3-bc55-97df8dab3e41"
    CLUSTER_ADMIN = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b"

    @property
    def title(self) -> str:  # type: ignore[override]  # a role's, not a text's
        """Return the name that people know the role by."""
        return TITLES[self]


TITLES = {
    Role.BLOB_READER: "Storage Blob Data Reader",
    Role.BLOB_CONTRIBUTOR: "Storage Blob Data Contributor",
    Role.BLOB_DELEGATOR: "Storage Blob Delegator",
    Role.BUS_SENDER: "Azure Service Bus Data Sender",
    Role.BUS_RECEIVER: "Azure Service Bus Data Receiver",
    Role.BUS_OWNER: "Azure Service Bus Data Owner",
    Role.REGISTRY_PULL: "AcrPull",
    Role.NETWORK_CONTRIBUTOR: "Network Contributor",
    Role.MONITORING_READER: "Monitoring Data Reader",
    Role.GRAFANA_ADMIN: "Grafana Admin",
    Role.CLUSTER_ADMIN: "Azure Kubernetes Service RBAC Cluster Admin",
}


@dataclass(frozen=True, slots=True)
class Calls:
    """What somebody calls."""

    receives: frozenset[str] = frozenset()
    """The queues from which messages are received or peeked at, dead letters included."""
    sends: frozenset[str] = frozenset()
    """The queues to which messages are sent."""
    reads: frozenset[str] = frozenset()
    """The containers of which blobs are read or listed."""
    writes: frozenset[str] = frozenset()
    """The containers in which blobs are written or deleted. Whoever writes may read, too."""
    delegates: bool = False
    """Whether keys are asked for, by which others get at one blob for some time."""
    manages: bool = False
    """Whether the lengths of queues are read, or queues are made: management, whatever it is about."""

    @property
    def container_roles(self) -> dict[str, Role]:
        """Return the role that covers the calls, for each container."""
        return dict.fromkeys(sorted(self.reads - self.writes), Role.BLOB_READER) | dict.fromkeys(
            sorted(self.writes), Role.BLOB_CONTRIBUTOR
        )

    @property
    def queue_roles(self) -> list[tuple[str, Role]]:
        """Return the roles that cover the calls, for each queue."""
        found = [(queue, Role.BUS_RECEIVER) for queue in sorted(self.receives)]
        return found + [(queue, Role.BUS_SENDER) for queue in sorted(self.sends)]


def _service(receives: str, sends: str, reads: str, writes: str) -> Calls:
    """Return the calls of a service.

    Every service sends to the queues that it receives from, where it puts copies of what is tried again, and to
    ``frames``, where it tells the dispatcher what it has given up. Every service writes logs, and looks whether the
    work container is open to it.
    """
    consumed = frozenset(receives.split())
    return Calls(
        receives=consumed,
        sends=consumed | {"frames"} | set(sends.split()),
        reads=frozenset(reads.split()),
        writes=frozenset([*writes.split(), "logs"]),
    )


ALL = frozenset({"triggers", "splits", "frames", "batches", "events", "scored", "learnings"})
CALLS = {
    "splitter": _service("triggers splits", "triggers splits", "input styles output", "work"),
    "dispatcher": Calls(
        # It looks at the dead letters of all queues.
        receives=ALL,
        sends=frozenset({"frames", "events", "batches", "scored", "splits"}),
        writes=frozenset({"work", "logs"}),
    ),
    "scorer": _service("batches", "events", "styles", "work"),
    "stitcher": _service("scored", "events", "input styles", "work output"),
    "learner": _service("learnings", "learnings", "input work", "styles"),
    "setup": Calls(writes=frozenset({"input", "work", "output", "styles", "logs"}), manages=True),
    "test": Calls(sends=frozenset({"triggers"}), reads=frozenset({"styles", "work"}), writes=frozenset({"input"})),
    "keda": Calls(manages=True),
    "events": Calls(sends=frozenset({"triggers"})),
}
"""The calls of every service, of the set-up Job, of the test's pod, of KEDA and of Event Grid."""
PEOPLE = {
    # Submit, and get what came of it.
    "submitter": Calls(sends=frozenset({"triggers"}), reads=frozenset({"output"}), writes=frozenset({"input"})),
    # What lies among the styles, and what asks for the learning of one.
    "painter": Calls(sends=frozenset({"learnings"}), reads=frozenset({"input"}), writes=frozenset({"styles"})),
    # Submit, watch, get, cancel, share, logs, replay of dead letters of any queue.
    "operator": Calls(
        sends=ALL,
        receives=ALL,
        reads=frozenset({"output", "logs"}),
        writes=frozenset({"input", "styles", "work"}),
        delegates=True,
    ),
}
"""The calls of people at the command line. Submitters have no right in the system's account."""
assert set(SERVICES) <= CALLS.keys()  # noqa: S101 - the table is of this file
