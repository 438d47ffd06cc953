"""Films in one storage account and all else in another, in which callers have no right."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from support.system import System
from support.video import facts, make_video, painting

from framebrush.contracts import BlobRef, State, Status
from framebrush.errors import Unfit
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home, plan_stack
from framebrush_cli.local.azurite import ACCOUNT, KEY
from framebrush_cli.settings import settings_from

FILMS, SYSTEM = "FRAMEBRUSH_STORAGE_CONNECTION_STRING", "FRAMEBRUSH_SYSTEM_STORAGE_CONNECTION_STRING"
SYSTEM_KEY = base64.b64encode(b"of the system").decode()
LIMIT_S = 120

pytestmark = pytest.mark.timeout(300)


class Installation:
    """Azurite with two accounts, the broker and all services; and the command line with the rights that are given."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system, self.folder = system, folder
        self.runs = Runs(AzureBlobs(settings_from(Settings, system.environment)), "work")

    def containers(self, account: str) -> set[str]:
        """The containers of one account, as one sees who knows only that."""
        with BlobServiceClient.from_connection_string(self.system.environment[account]) as service:
            return {found.name for found in service.list_containers()}

    def command(self, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "framebrush_cli", *arguments],
            cwd=self.folder, env=self.system.environment | variables, capture_output=True, text=True, timeout=280,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def wait(self, run_id: str) -> Status:
        end = time.monotonic() + LIMIT_S
        while not any(state.ended for found, state in self.runs.ids(run_id) if found == run_id and state):
            assert time.monotonic() < end, f"{run_id} stands still"
            time.sleep(0.2)
        return self.runs.status(run_id)


def wrong(connection: str, key: str) -> str:
    """A connection string that is refused: what somebody without a role on the account has."""
    return connection.replace(key, base64.b64encode(b"nobody").decode())


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = Home(tmp_path_factory.mktemp("stack"))
    home.azurite.mkdir()
    try:
        stack = plan_stack(home, scorers=1)
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    films = stack.environment[FILMS]
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    environment = foreign | stack.environment | {
        "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY};system:{SYSTEM_KEY}",
        SYSTEM: films.replace(ACCOUNT, "system").replace(KEY, SYSTEM_KEY),
        "FRAMEBRUSH_DEFAULT_MODEL": "identity", "FRAMEBRUSH_SEGMENT_FRAMES": "20", "OMP_NUM_THREADS": "1",
        "FRAMEBRUSH_PRICE_CURRENCY": "EUR",
    }  # fmt: skip
    parts = {part.name: part for part in stack.parts}
    system = System(parts, environment, home.path)
    with ExitStack() as cleanup:
        cleanup.callback(system.end)
        system.start_all(LIMIT_S)
        yield Installation(system, home.path)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("film") / "film.mp4", pts=tuple(range(0, 40 * 512, 512)))


def test_every_container_is_in_its_account(two: Installation) -> None:
    assert two.containers(FILMS) == {"input", "output"}
    assert two.containers(SYSTEM) == {"work", "styles", "logs"}


def test_a_run_passes_from_one_account_through_the_other_and_back(two: Installation, film: Path) -> None:
    picture = two.folder / "picture.png"
    picture.write_bytes(painting())
    done = two.command("submit", str(film), "--style-image", str(picture), "--wait", "--json")
    run_id = json.loads(done.stdout)["run_id"]
    status = two.runs.status(run_id)
    assert status.state is State.SUCCEEDED
    two.command("get", run_id, "-o", "styled.mp4")
    assert facts(two.folder / "styled.mp4") == facts(film)
    two.command("get", run_id, "--report", "-o", "report.html")
    assert "EUR" in (two.folder / "report.html").read_text()
    assert run_id in two.command("logs", run_id).stdout
    two.command("styles", "list")
    assert "succeeded" in two.command("runs").stdout


def test_who_may_only_submit_sees_nothing_of_the_system(two: Installation, film: Path) -> None:
    none = {SYSTEM: wrong(two.system.environment[SYSTEM], SYSTEM_KEY)}
    done = two.command("submit", str(film), "--model", "identity", "--run-id", "caller", "--json", **none)
    assert json.loads(done.stdout) == {"run_id": "caller", "input": f"input/{film.name}", "created": True}
    early = two.command("get", "another", "-o", "caller.mp4", code=1, **none)
    assert "there is no output of the run another (yet), and runs are not open to you here" in early.stderr
    assert two.wait("caller").state is State.SUCCEEDED
    two.command("get", "caller", "-o", "caller.mp4", **none)
    assert facts(two.folder / "caller.mp4") == facts(film)
    two.command("get", "caller", "--report", "-o", "caller.html", **none)
    again = two.command("submit", str(film), "--model", "identity", "--run-id", "caller", "--json", **none)
    assert json.loads(again.stdout)["created"], "it cannot see that the run exists, and asks once more"
    for refused in (("runs",), ("watch", "caller"), ("cancel", "caller"), ("logs", "caller"), ("styles", "list")):
        assert "storage: " in two.command(*refused, code=1, **none).stderr
    waiting = two.command("submit", str(film), "--model", "identity", "--wait", code=1, **none)
    assert "--wait: runs are not open to you here" in waiting.stderr
    picture = two.command("submit", str(film), "--style-image", "picture.png", code=1, **none)
    assert "storage: styles/" in picture.stderr
    assert two.runs.status("caller").state is State.SUCCEEDED


@pytest.mark.parametrize(("variable", "key", "container"), [(FILMS, KEY, "input"), (SYSTEM, SYSTEM_KEY, "styles")])
def test_an_account_that_is_closed_to_us_makes_the_process_unfit(
    two: Installation, variable: str, key: str, container: str
) -> None:
    """Whatever the other account says: its runs would end as if their requests were to blame."""
    environment = two.system.environment | {variable: wrong(two.system.environment[variable], key)}
    blobs = AzureBlobs(settings_from(Settings, environment))
    with pytest.raises(Unfit, match=f"storage: {container}/a"):
        blobs.read(BlobRef(container=container, name="a"))
