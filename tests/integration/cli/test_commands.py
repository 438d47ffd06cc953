"""The command itself, as a process, against real backends; the test plays the services."""

import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from support.video import frames as frames_of
from support.video import picture

from framebrush.contracts import BlobRef, Failure, Options, RunRequest, State, Status, derive_run_id
from framebrush.messaging import body_of, connect
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import AzureBlobs

REPORT = Path(__file__).parents[2] / "contract" / "golden" / "report.json"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def runs(settings: Settings) -> Runs:
    return Runs(AzureBlobs(settings), settings.work_container)


def begin(runs: Runs, run_id: str, settings: Settings, *, frames: int = 0) -> None:
    now = datetime.now(UTC)
    source = BlobRef(container=settings.input_container, name="film.mp4")
    state = State.RUNNING if frames else State.PLANNING
    status = Status(run_id=run_id, state=state, created=now, updated=now, input=source, model="mosaic", frames=frames)
    assert runs.create(status)


def test_submit_uploads_and_sends_the_request_that_the_splitter_would_make(
    framebrush: Command, settings: Settings, tmp_path: Path, runs: Runs
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"frames")
    run_id = framebrush("submit", "film.mp4", "--crf", "30").stdout.strip()

    source = BlobRef(container=settings.input_container, name="film.mp4")
    info = runs.store.stat(source)
    options = Options(model="mosaic", crf=30)
    assert run_id == derive_run_id(source, info.etag, options, None)
    with connect(settings) as client, client.get_queue_receiver("triggers") as receiver:
        [message] = receiver.receive_messages(1, max_wait_time=5)
        receiver.complete_message(message)
    request = RunRequest.decode(body_of(message))
    assert (request.run_id, request.input, request.options) == (run_id, source, options)

    begin(runs, run_id, settings)
    again = framebrush("submit", "film.mp4", "--crf", "30").stdout
    assert again.startswith(f"exists already: {run_id}: planning")
    runs.fail(run_id, Failure(reason="invalid_video", description="no picture in it"))
    again = framebrush("submit", "film.mp4", "--crf", "30", code=1).stdout
    assert f"{run_id}: failed" in again
    assert f"framebrush dlq replay --run {run_id}" in again
    assert framebrush("submit", "film.mp4", "--crf", "31").stdout.strip() != run_id


def test_a_folder_of_pictures_is_submitted_as_a_film(
    framebrush: Command, settings: Settings, tmp_path: Path, runs: Runs
) -> None:
    (tmp_path / "shots").mkdir()
    for number in range(3):
        Image.fromarray(picture(number, 48, 32)).save(tmp_path / f"shots/{number}.png")
    run_id = framebrush("submit", "shots", "--rate", "10").stdout.strip()
    content = runs.store.read(BlobRef(container=settings.input_container, name="shots.mkv"))
    assert [(frame == picture(number, 48, 32)).all() for number, frame in enumerate(frames_of(content))] == [True] * 3
    begin(runs, run_id, settings)
    assert framebrush("submit", "shots", "--rate", "10").stdout.startswith(f"exists already: {run_id}")
    assert framebrush("submit", "shots", "--rate", "11").stdout.strip() != run_id


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none.mp4"], "none.mp4: no such file here"),
        (["empty.mp4"], "empty.mp4 is empty"),
        (["film.mp4", "--crf", "77"], "crf: "),
        (["film.mp4", "--style", "a", "--model", "b"], "--style and --model"),
        (["film.mp4", "--output", "film.avi"], "output: .*must end in one of .mp4"),
        (["film.mp4", "--output", "film.webm"], r"output: \.webm cannot carry h264: take .*, or the codec av1, vp9"),
        (["film.mp4", "--codec", "vp9", "--bits", "10"], "no encoder for vp9.*; possible are codec h264, h265, av1"),
        (["film.mp4", "--bitrate", "fast"], "--bitrate fast: expected a number such as 4M"),
        (["film.mp4", "--run-id", "No Good"], "run_id: "),
    ],
)
def test_what_cannot_be_submitted_is_one_line(
    framebrush: Command, runs: Runs, settings: Settings, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"frames")
    (tmp_path / "empty.mp4").touch()
    [line] = framebrush("submit", *arguments, code=1).stderr.splitlines()
    assert re.search(complaint, line)
    assert line.startswith("error: ")
    assert list(runs.store.list(settings.input_container)) == [], "nothing is uploaded"


def test_a_run_to_its_end(framebrush: Command, runs: Runs, settings: Settings, tmp_path: Path) -> None:
    begin(runs, "film-1", settings, frames=9)
    assert "film-1: running" in framebrush("status", "film").stdout
    framebrush("get", "film", code=1)
    output = BlobRef(container=settings.output_container, name="folder/film.mp4")
    runs.store.write(output, b"styled")
    runs.end("film-1", State.SUCCEEDED, output=output)

    assert "film-1: succeeded" in framebrush("status", "film-1").stdout
    runs.store.write(runs.blobs("film-1").report, REPORT.read_bytes())
    told = framebrush("status", "film-1").stdout
    assert "1 of 2 checks" in told and "audio 0 language: und instead of nob" in told and "is left out" in told
    assert "is left out" in json.loads(framebrush("status", "film-1", "--json").stdout)["notes"][0]
    watched = framebrush("watch", "film-1").stdout
    assert "film-1: succeeded" in watched and "is left out" in watched
    framebrush("get", "film-1")
    assert (tmp_path / "film.mp4").read_bytes() == b"styled"
    assert "film.mp4 exists: --force" in framebrush("get", "film-1", code=1).stderr
    told = json.loads(framebrush("get", "film-1", "--force", "-o", "film.mp4", "--json").stdout)
    assert told == {"run_id": "film-1", "files": ["film.mp4"]}
    framebrush("get", "film-1", "-o", "new/folder/")
    assert (tmp_path / "new/folder/film.mp4").read_bytes() == b"styled"
    assert "film.mp4 is a file, and no folder" in framebrush("get", "film-1", "-o", "film.mp4/x", code=1).stderr
    assert json.loads(framebrush("watch", "film-1", "--json").stdout)["state"] == "succeeded"
    assert "has succeeded already" in framebrush("cancel", "film-1", code=1).stderr
    [listed] = json.loads(framebrush("runs", "--json").stdout)
    assert (listed["run_id"], listed["state"]) == ("film-1", "succeeded")
    for matching, other in (("--state=succeeded", "--state=failed"), ("--film=FILM", "--film=x"), ("--since=1h", "")):
        assert "film-1" in framebrush("runs", matching).stdout
        assert not other or "No such runs" in framebrush("runs", other).stdout
    assert "such as 90m" in framebrush("runs", "--since=yesterday", code=1).stderr


def test_several_styles(framebrush: Command, runs: Runs, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"frames")
    run_id = framebrush("submit", "film.mp4", "--style", "oil", "--style", "ink", "--style", "oil").stdout.strip()
    with connect(settings) as client, client.get_queue_receiver("triggers") as receiver:
        [message] = receiver.receive_messages(1, max_wait_time=5)
        receiver.complete_message(message)
    request = RunRequest.decode(body_of(message))
    assert (request.run_id, request.options.model, request.options.more_models) == (run_id, "oil", ("ink",))

    outputs = [BlobRef(container=settings.output_container, name=f"film.{style}.mp4") for style in ("oil", "ink")]
    for output in outputs:
        runs.store.write(output, output.name.encode())
    begin(runs, "film-1", settings, frames=9)
    runs.end("film-1", State.SUCCEEDED, output=outputs[0], more_outputs=tuple(outputs[1:]))
    told = framebrush("status", "film-1").stdout
    assert "/film.oil.mp4, " in told and "/film.ink.mp4" in told
    for named in ("film.mp4", "styled"):
        told = framebrush("get", "film-1", "-o", named, code=1).stderr
        assert f"{named} is one file, and the run has 2 outputs: -o {named}/ names a folder" in told
    assert "film.mp4 is a file, and no folder" in framebrush("get", "film-1", "-o", "film.mp4/", code=1).stderr
    framebrush("get", "film-1", "-o", "styled/")
    assert {path.name: path.read_bytes() for path in (tmp_path / "styled").iterdir()} == {
        output.name: output.name.encode() for output in outputs
    }
    assert "exists: --force" in framebrush("get", "film-1", "-o", "styled", code=1).stderr


def test_a_status_that_cannot_be_read_hides_no_other_run(framebrush: Command, runs: Runs, settings: Settings) -> None:
    begin(runs, "film-1", settings)
    runs.store.write(runs.blobs("film-2").status, b"{}")
    listed = framebrush("runs")
    assert "film-1" in listed.stdout
    assert listed.stderr.startswith("film-2: its status cannot be read: Status: run_id: Field required")


def test_logs(framebrush: Command, runs: Runs, settings: Settings) -> None:
    """The pods are gone; two have written."""
    begin(runs, "film-1", settings)
    assert "there is no container logs-1: `framebrush setup`" in framebrush(
        "logs", "film", code=1, FRAMEBRUSH_LOGS_CONTAINER="logs-1"
    ).stderr.replace("\n", " ")
    blobs = AzureBlobs(settings)
    blobs.create_containers(["logs-1"])
    assert "no lines" in framebrush("logs", "film", code=1, FRAMEBRUSH_LOGS_CONTAINER="logs-1").stderr
    for pod, moment, text in (
        ("scorer-b", "02", "handled"),
        ("splitter-a", "01", "planned"),
        ("scorer-b", "03", "end"),
    ):
        line = {
            "time": f"2026-11-26T12:00:{moment}.000+00:00", "level": "INFO", "service": pod[:-2], "pod": "b",
            "run": "film-1", "logger": "x", "message": text, "milliseconds": {"model": 12.5},
        }  # fmt: skip
        blobs.append(BlobRef(container="logs-1", name=f"film-1/{pod}.jsonl"), json.dumps(line).encode() + b"\n")
    found = framebrush("logs", "film", FRAMEBRUSH_LOGS_CONTAINER="logs-1").stdout
    assert [line.split()[0] for line in found.splitlines()] == ["splitter", "scorer", "scorer"]
    assert "12:00:02 INFO    [film-1] handled milliseconds={'model': 12.5}" in found
    lines = framebrush("logs", "film", "--service", "scorer", "--json", FRAMEBRUSH_LOGS_CONTAINER="logs-1").stdout
    assert [json.loads(line)["message"] for line in lines.splitlines()] == ["handled", "end"]
    runs.end("film-1", State.CANCELLED)
    followed = framebrush("logs", "film", "--follow", FRAMEBRUSH_LOGS_CONTAINER="logs-1").stdout
    assert followed == found


def test_cancel(framebrush: Command, runs: Runs, settings: Settings, tmp_path: Path) -> None:
    begin(runs, "film-1", settings)
    framebrush("cancel", "film-1")
    assert json.loads(framebrush("cancel", "film-1", "--json").stdout)["state"] == "cancelled"
    assert runs.status("film-1").state is State.CANCELLED
    assert "film-1: cancelled" in framebrush("watch", "film-1", code=1).stdout
    (tmp_path / "film.mp4").write_bytes(b"a film")
    again = framebrush("submit", "film.mp4", "--run-id", "film-1", code=1).stdout
    assert "To do it anew: --run-id NAME" in again
    assert "replay" not in again


def test_a_shell_completes_runs_and_styles(framebrush: Command, runs: Runs, settings: Settings) -> None:
    def offered(*words: str, last: str, **variables: str) -> set[str]:
        line = ["framebrush", *words, last]
        completion = {"COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1)}
        return set(framebrush(_FRAMEBRUSH_COMPLETE="complete_bash", **completion, **variables).stdout.split())

    for run_id, frames in (("holiday-1", 48), ("holiday-2", 48), ("party", 48)):
        begin(runs, run_id, settings, frames=frames)
    runs.end("holiday-2", State.CANCELLED)
    assert offered("watch", last="hol") == {"holiday-1", "holiday-2"}
    assert offered("cancel", last="hol") == {"holiday-1"}
    assert "starry" in offered("submit", "film.mp4", "--style", last="sta")
    broken = {"FRAMEBRUSH_STORAGE_CONNECTION_STRING": "nonsense"}
    assert offered("watch", last="hol", **broken) == set()


def test_backends_that_are_away_are_one_line(framebrush: Command) -> None:
    storage = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=Yg==;BlobEndpoint=http://127.0.0.1:1/a;"
    result = framebrush("runs", "--storage-connection-string", storage, code=1)
    [line] = result.stderr.splitlines()
    assert line.startswith("error: storage: ")
    bus = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
    result = framebrush("dlq", "list", "--servicebus-connection-string", bus, code=1)
    [line] = result.stderr.splitlines()
    assert line.startswith("error: service bus: ")


def test_help_names_every_command(framebrush: Command) -> None:
    text = framebrush("--help").stdout
    for command in ("up", "down", "submit", "watch", "status", "get", "cancel", "runs", "verify", "dlq"):
        assert command in text
    assert framebrush("--version").stdout.startswith("framebrush ")
