"""Links for people who have no role: ``framebrush share`` and ``framebrush invite``, with a sign-in.

Azurite takes any token of the right form here, which Microsoft Entra would sign. It makes user delegation keys and
checks what is signed with them as Azure does.
"""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient
from typer.testing import CliRunner

from framebrush.contracts import BlobRef, State, Status
from framebrush.errors import Unfit
from framebrush_cli.__main__ import app
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import azurite as azurite_
from framebrush_cli.local import free_ports

CONTENT = b"a styled film"


class SignIn:
    """What ``DefaultAzureCredential`` gives in Azure."""

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        now = int(time.time())
        claims = {
            "aud": "https://storage.azure.com", "iss": "https://sts.windows.net/tenant/", "oid": "somebody",
            "tid": "tenant", "iat": now - 60, "nbf": now - 60, "exp": now + 3600,
        }  # fmt: skip
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims, "unsigned")]
        return AccessToken(b".".join(base64.urlsafe_b64encode(p).rstrip(b"=") for p in parts).decode(), now + 3600)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[str]:
    """The URL of an account that takes sign-ins, with a run that has succeeded."""
    folder, [port] = tmp_path_factory.mktemp("azurite"), free_ports(1)
    try:
        command = azurite_.command(folder, port)
    except CommandFailed as error:
        pytest.skip(str(error))
    secured = [*command, "--oauth", "basic", "--cert", str(certificate), "--key", str(certificate)]
    url = f"https://127.0.0.1:{port}/{azurite_.ACCOUNT}"
    with subprocess.Popen(secured) as process:
        for _ in range(300):
            try:
                requests.get(url, verify=str(certificate), timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        with BlobServiceClient(url, credential=SignIn(), connection_verify=str(certificate)) as service:
            for name in ("input", "work", "output"):
                service.create_container(name)
            now = datetime.now(UTC)
            status = Status(
                run_id="film-1", state=State.SUCCEEDED, created=now, updated=now, ended=now, model="oil",
                input=BlobRef(container="input", name="film.mp4"), output=BlobRef(container="output", name="a b/é.mp4"),
            )  # fmt: skip
            service.get_blob_client("work", "status/film-1.json").upload_blob(status.encode())
            for name in ("a b/é.mp4", "other.mp4"):
                service.get_blob_client("output", name).upload_blob(CONTENT)
        yield url
        process.terminate()


@pytest.fixture
def run(account: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setattr("azure.identity.DefaultAzureCredential", SignIn)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("FRAMEBRUSH_STORAGE_ACCOUNT_URL", account)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return invoke


def put(link: str, content: bytes) -> int:
    return requests.put(link, content, headers={"x-ms-blob-type": "BlockBlob"}, timeout=10).status_code


def test_a_run_is_shared(run: Callable[..., str]) -> None:
    [link] = run("share", "film", "--for", "30m").split()
    assert requests.get(link, timeout=10).content == CONTENT
    assert put(link, b"evil") == 403
    assert requests.delete(link, timeout=10).status_code == 403
    path, _, signature = link.partition("?")
    for other in (path.replace("a%20b/%C3%A9.mp4", "other.mp4"), path.replace("output/a%20b/%C3%A9", "work/status/x")):
        assert other != path
        assert requests.get(f"{other}?{signature}", timeout=10).status_code == 403
    assert "sp=r&" in f"{signature}&"
    assert "spr=https" in signature
    assert "skoid=somebody" in signature  # no account key has signed this, and storage knows who did


def test_somebody_is_invited(run: Callable[..., str]) -> None:
    [link] = json.loads(run("invite", "theirs.mp4", "--json"))
    assert requests.get(link, timeout=10).status_code in (403, 404)
    assert put(link, CONTENT) == 201
    assert put(link, b"evil") in (403, 409)
    assert requests.get(link, timeout=10).status_code == 403
    with pytest.raises(CommandFailed, match=r"input/theirs\.mp4 exists already"):
        run("invite", "theirs.mp4")
    with pytest.raises(CommandFailed, match="no part of the name"):
        run("invite", "../work/status/x.json")


@pytest.mark.parametrize("time", ["8d", "0m", "1", "h", "-1h"])
def test_links_are_for_a_short_time(run: Callable[..., str], time: str) -> None:
    with pytest.raises(CommandFailed, match="expected a time such as 30m, 8h or 7d"):
        run("share", "film", f"--for={time}")


def test_links_are_never_made_with_keys(azurite: str) -> None:
    result = CliRunner().invoke(app, ["invite", "a.mp4", "--storage-connection-string", azurite])
    assert isinstance(result.exception, Unfit)
    assert "never with the account's key" in str(result.exception)
