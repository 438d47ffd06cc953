"""kill -9 of each part in mid-run: the videos that come out are, byte for byte, those of an undisturbed run."""

import random
import time
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import psutil
import pytest
from azure.servicebus import ServiceBusSubQueue
from support.system import System
from support.video import facts, make_video

from framebrush.contracts import QUEUES, BlobRef, Options, RunRequest, State
from framebrush.messaging import MessageSender, connect
from framebrush.runs import measure

SEED = 20261102
FRAMES = 250
#: What the victim works on: it is killed when some of it is done, and most is not.
STAGE = {"splitter": "split", "dispatcher": "split", "scorer": "scored", "stitcher": "encoded", "broker": "scored"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 10 s with irregular frame times, keyframes every 30 frames, and stereo sound."""
    times, time = list[int](), 0
    for _ in range(FRAMES):
        times.append(time)
        time += random.Random(SEED + time).choice([256, 512, 512, 768])
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    return make_video(path, size=(160, 120), pts=times, time_base=Fraction(1, 12800), gop=30)


class Run:
    """A run of the source under a name of its own."""

    def __init__(self, system: System, source: Path, name: str) -> None:
        self.system, self.runs, self.run_id = system, system.runs, f"chaos-{name}"
        settings = system.settings
        blob = BlobRef(container=settings.input_container, name=f"{name}.mp4")
        self.runs.store.write(blob, source.read_bytes())
        options = Options(model="identity", more_models=("ink",), batch_frames=4, preset="veryfast")
        request = RunRequest(run_id=self.run_id, input=blob, options=options)
        with connect(settings) as client, MessageSender(client) as sender:
            sender.send(request)

    def wait_for(self, stage: str, frames: int) -> None:
        """Until so many frames are past a stage, and not all of them."""
        end = time.monotonic() + 60
        while True:
            if self.runs.active(self.run_id):
                progress = measure(self.runs, self.run_id)[0].model_dump()
                if progress[stage] >= frames:
                    break
            assert time.monotonic() < end, f"{self.run_id} does not get there"
        assert progress["encoded"] < FRAMES, "too late: the run was almost through"

    def finish(self) -> list[bytes]:
        """The outputs, when the run has succeeded."""
        end = time.monotonic() + 90
        while (self.run_id, State.SUCCEEDED) not in self.runs.ids(self.run_id):
            assert time.monotonic() < end, f"{self.run_id} stands still"
            assert not {state for _, state in self.runs.ids(self.run_id)} & {State.FAILED, State.CANCELLED}
            time.sleep(0.05)
        return [self.runs.store.read(output) for output in self.runs.status(self.run_id).outputs]


@pytest.fixture(scope="module")
def undisturbed(system: System, source: Path) -> list[bytes]:
    outputs = Run(system, source, "undisturbed").finish()
    assert len(outputs) == 2
    for output in outputs:
        wanted, found = facts(source), facts(output)
        assert (found.times, found.copied) == (wanted.times, wanted.copied)
    return outputs


@pytest.mark.slow
@pytest.mark.parametrize("victim", STAGE)
def test_a_killed_process_changes_nothing(system: System, source: Path, undisturbed: list[bytes], victim: str) -> None:
    share = random.Random(f"{SEED}/{victim}").uniform(0.05, 0.5)
    run = Run(system, source, victim)
    run.wait_for(STAGE[victim], int(FRAMES * share))
    system.kill(victim)
    assert run.runs.active(run.run_id), "too late: the run was through"
    system.start(victim)
    outputs = run.finish()
    assert [facts(output) for output in outputs] == [facts(output) for output in undisturbed]
    assert outputs == undisturbed
    system.wait(victim)
    progress, _ = measure(run.runs, run.run_id)
    assert progress.model_dump() == {"split": FRAMES, "scored": FRAMES, "encoded": FRAMES}


@pytest.mark.slow
def test_killed_decoders_change_nothing(system: System, source: Path, undisturbed: list[bytes]) -> None:
    run = Run(system, source, "decoders")
    run.wait_for(STAGE["splitter"], FRAMES // 10)
    splitter = psutil.Process(system.processes["splitter"].pid)
    for decoder in splitter.children():
        decoder.kill()
    assert run.finish() == undisturbed
    assert splitter.is_running()


@pytest.mark.slow
def test_nothing_was_put_aside(system: System, undisturbed: list[bytes]) -> None:
    with connect(system.settings) as client, ExitStack() as stack:
        for queue in QUEUES:
            receiver = stack.enter_context(client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER))
            assert receiver.peek_messages(10, sequence_number=1) == []
