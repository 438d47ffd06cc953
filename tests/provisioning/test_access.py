"""Everybody may do what they do, and nothing else."""

import tempfile
from pathlib import Path

import pytest
from provisioning.built import FILMS, MEMBERS, Built
from provisioning.recorded import Recorded, record

from framebrush.contracts import FLOW, QUEUES
from framebrush_azure.access import CALLS, PEOPLE, TITLES, Calls, Role
from framebrush_azure.chart import SERVICES, containers

BLOB_READ = {Role.BLOB_READER, Role.BLOB_CONTRIBUTOR}


@pytest.fixture(scope="module")
def calls(film: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorded]:
    with pytest.MonkeyPatch.context() as patch:  # or weights of an earlier test would be in the scorer's cache
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("cache")))
        return record(film)


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_says_what_services_call(calls: dict[str, Recorded], service: str) -> None:
    found, table = calls[service], CALLS[service]
    assert found.writes | {"logs"} == table.writes, "every service writes logs"
    assert found.reads <= table.reads | table.writes
    assert table.reads <= found.reads | found.writes | {"work"}, "the table allows more than is called"
    assert "work" in table.reads | table.writes, "whether it is open is asked before the first message"
    consumed = {queue for queue, step in FLOW.items() if step.service == service}
    followed = {target for queue in consumed for target in FLOW[queue].sends}
    assert found.sends <= table.sends
    assert table.sends == consumed | followed | {"frames"}, "own queues for what is tried again, frames for notices"
    assert table.receives == (set(QUEUES) if service == "dispatcher" else consumed), "it looks at all dead letters"


def grants(built: Built) -> dict[str, set[tuple[Role, str]]]:
    """The roles of every principal, each with its scope."""
    found: dict[str, set[tuple[Role, str]]] = {}
    for inputs in built.of("authorization:RoleAssignment").values():
        role = Role(inputs["roleDefinitionId"].rpartition("/")[2])
        found.setdefault(inputs["principalId"], set()).add((role, inputs["scope"]))
    return found


def expected(built: Built, calls: Calls) -> set[tuple[Role, str]]:
    name = built.installation.name
    roles = {(role, f"/id/of/BlobContainer/{name}-{use}") for use, role in calls.container_roles.items()}
    roles |= {(role, f"/id/of/Queue/{name}-{queue}") for queue, role in calls.queue_roles}
    if calls.delegates:
        roles.add((Role.BLOB_DELEGATOR, f"/id/of/StorageAccount/{name}"))  # that of the films
    if calls.manages:
        roles.add((Role.BUS_OWNER, f"/id/of/Namespace/{name}"))
    return roles


@pytest.mark.parametrize("who", CALLS)
def test_roles_cover_the_calls_and_no_more(built: Built, who: str) -> None:
    principal = "principal-of-SystemTopic" if who == "events" else f"principal-of-{built.installation.name}-{who}"
    assert grants(built)[principal] == expected(built, CALLS[who])


@pytest.mark.parametrize("kind", PEOPLE)
def test_people_may_do_what_they_are_named_for(private: Built, kind: str) -> None:
    assert grants(private)[MEMBERS[kind]] == expected(private, PEOPLE[kind])
    assert "output" not in PEOPLE[kind].writes


def test_who_submits_has_no_right_in_the_account_of_the_system(private: Built) -> None:
    theirs = {scope.rpartition("-")[2] for _, scope in grants(private)[MEMBERS["submitter"]] if "Container" in scope}
    assert theirs == {"input", "output"} == {use for use, account in private.accounts.items() if account == FILMS}


def test_nobody_else_has_a_role(built: Built) -> None:
    name = built.installation.name
    known = {f"principal-of-{name}-{who}" for who in (*CALLS, "cluster")} | {"principal-of-SystemTopic"}
    others = {"principal-of-kubelet": Role.REGISTRY_PULL, "principal-of-Grafana": Role.MONITORING_READER}
    own = built.installation
    people = {*own.submitters, *own.painters, *own.operators, *own.grafana_admins, *own.cluster_admins}
    found = grants(built)
    assert set(found) <= known | set(others) | people
    for who, role in others.items():
        assert {each for each, _ in found[who]} == {role}


def test_no_data_role_is_wider_than_a_queue_or_a_container(built: Built) -> None:
    narrow = {Role.BLOB_READER, Role.BLOB_CONTRIBUTOR, Role.BUS_SENDER, Role.BUS_RECEIVER}
    for roles in grants(built).values():
        for role, scope in roles:
            if role in narrow:
                assert scope.startswith(("/id/of/Queue/", "/id/of/BlobContainer/"))


def test_every_role_has_the_name_that_people_know(built: Built) -> None:
    assert TITLES.keys() == set(Role)
    for inputs in built.of("authorization:RoleAssignment").values():
        assert inputs["description"].removeprefix("framebrush: ") in TITLES.values()


def test_the_table_knows_every_container() -> None:
    used = {use for calls in CALLS.values() for use in calls.reads | calls.writes}
    assert used == set(containers())


def test_the_document_has_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs/azure.md").read_text()
    _, _, rest = text.partition("<!-- calls: kept true by tests -->\n")
    rows = rest.partition("<!-- end of calls -->")[0].splitlines()

    def cell(names: frozenset[str]) -> str:
        return "all queues" if names == set(QUEUES) else ", ".join(sorted(names))

    expected = [
        "| " + " | ".join([who, *map(cell, (each.receives, each.sends, each.reads, each.writes))]) + " |"
        for who, each in CALLS.items()
        if who != "keda"
    ]
    assert [" ".join(row.split()) for row in rows] == [" ".join(row.split()) for row in expected]
