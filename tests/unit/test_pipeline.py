"""Whole runs through the four handlers, in memory."""

import json
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.pipeline import Pipeline
from support.video import facts, frames, psnr

from framebrush.contracts import (
    SUBMITTED,
    BatchReady,
    BlobRef,
    ItemFailed,
    PackReady,
    Report,
    RunEncoded,
    RunRequest,
    SegmentScored,
    State,
    TriggerMember,
)
from framebrush.errors import PermanentError

SMALL = {"segment_frames": 10}


def run(path: Path, pipeline: Pipeline | None = None, **options: object) -> Pipeline:
    pipeline = pipeline or Pipeline(**SMALL)
    pipeline.submit(pipeline.put(path.name, path.read_bytes()), **options)
    pipeline.run()
    return pipeline


def test_identity_keeps_everything(clip: Path) -> None:
    pipeline = run(clip, batch_frames=5, crf=1)
    status = pipeline.status()
    assert status.state is State.SUCCEEDED, status.error
    assert len(pipeline.manifest().segments) == 4
    assert facts(pipeline.output()) == facts(clip)
    for before, after in zip(frames(clip), frames(pipeline.output()), strict=True):
        assert psnr(before, after) > 40
    assert set(status.stages) == {"split", "scored", "encoded", "joined"}


def test_a_run_says_how_much_of_a_painting(clip: Path) -> None:
    untouched, painted = (run(clip, model="ink", strength=strength, crf=1) for strength in (0.0, 1.0))
    assert untouched.manifest().options.strength == 0
    for before, same, other in zip(*map(frames, (clip, untouched.output(), painted.output())), strict=True):
        assert psnr(before, same) > 40
        assert psnr(before, other) < 30


def test_a_run_smooths_within_its_batches(clip: Path) -> None:
    plain, smooth = (run(clip, model="ink", smoothing=amount, batch_frames=5, crf=1) for amount in (0.0, 1.0))
    assert smooth.manifest().options.smoothing == 1
    likeness = [psnr(a, b) for a, b in zip(*map(frames, (plain.output(), smooth.output())), strict=True)]
    first = 0
    for segment in smooth.manifest().segments:
        for k in range(segment.frames):
            border = k % 5 in (0, 4) or k == segment.frames - 1
            assert (likeness[first + k] > 45) == border
        first += segment.frames


MODELS = ("identity", "ink", "oil")


def test_several_models_share_one_decoding(clip: Path) -> None:
    together = run(clip, model=MODELS[0], more_models=MODELS[1:], batch_frames=5, preset="ultrafast")
    status = together.status()
    assert status.state is State.SUCCEEDED, status.error
    assert (status.models, [ref.name for ref in status.outputs]) == (MODELS, [f"clip.{name}.mp4" for name in MODELS])
    alone = [run(clip, model=name, batch_frames=5, preset="ultrafast") for name in MODELS]
    assert [together.store.read(ref) for ref in status.outputs] == [each.output() for each in alone]
    packs = [message for message in together.handled if isinstance(message, PackReady)]
    assert len(packs) == len([message for message in alone[0].handled if isinstance(message, PackReady)])
    report = Report.decode(together.store.read(together.runs.blobs(status.run_id).report))
    assert {check.model for check in report.checks} == set(MODELS)
    assert len(report.checks) == 3 * len({check.name for check in report.checks})
    prefix = together.runs.blobs(status.run_id).prefix
    left = {blob.ref.name.removeprefix(prefix).split("/")[0] for blob in together.store.list("work", prefix)}
    assert left == {"request.json", "manifest.json", "report.json", "timelines", "reports", "reports.1", "reports.2"}


def test_several_models_named_outputs(video: Callable[..., Path]) -> None:
    pipeline = Pipeline(**SMALL)
    ref = pipeline.put("a.mp4", video("a.mp4", pts=range(0, 1536, 512), audio=None).read_bytes())
    output = BlobRef(container="output", name="to/b.mkv")
    pipeline.submit(ref, output=output, more_models=("ink", "identity", "ink"))  # the default is identity
    assert [each.name for each in pipeline.run().outputs] == ["to/b.identity.mkv", "to/b.ink.mkv"]


def test_a_scorer_goes_on_with_the_models_that_are_missing(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put("clip.mp4", clip.read_bytes()), more_models=("ink",))
    while not isinstance(batch := pipeline.waiting[0], BatchReady):
        pipeline.step()
    done, missing = (pipeline.runs.blobs(batch.run_id).styled(batch.segment, batch.frames, n) for n in (0, 1))
    pipeline.store.write(done, b"written before the pod died")
    pipeline.step()
    assert pipeline.store.read(done) == b"written before the pod died"
    assert pipeline.store.read(missing)


def test_a_frame_that_no_model_can_score_is_counted_once(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    ref = pipeline.put("clip.mp4", clip.read_bytes())
    pipeline.submit(ref, more_models=("ink",), batch_frames=5, bad_frames="keep_original")
    while not isinstance(batch := pipeline.waiting[0], BatchReady):
        pipeline.step()
    pipeline.waiting.popleft()
    lost = ItemFailed(
        run_id=batch.run_id, source="batches", item=batch.message_id, reason="model_failed", description="no memory",
        body=batch.encode().decode(),
    )  # fmt: skip
    pipeline.send(lost)
    status = pipeline.run()
    assert (status.state, status.failed_frames) == (State.SUCCEEDED, 5)
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(status.run_id).report))
    assert [(failed.index, failed.model) for failed in report.failed_frames] == [
        (frame, model) for model in ("identity", "ink") for frame in range(5)
    ]


def test_variable_frame_rate(video: Callable[..., Path]) -> None:
    pts = [700, 1000, 1001, 5000, 5600, 9000, 9001, 9002, 20000, 20010, 20500, 33000, 40000, 40007]
    path = video("vfr.mp4", pts=pts, gop=4, time_base=Fraction(1, 10000))
    pipeline = run(path, Pipeline(segment_frames=3), batch_frames=2)
    assert pipeline.status().state is State.SUCCEEDED
    assert len(pipeline.manifest().segments) >= 3
    assert facts(pipeline.output()).times == facts(path).times


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames(video: Callable[..., Path], count: int) -> None:
    path = video("short.mp4", pts=[512 * k for k in range(count)], audio=None)
    pipeline = run(path)
    assert pipeline.status().state is State.SUCCEEDED
    assert facts(pipeline.output()) == facts(path)


def test_rotation_and_aspect_come_back(video: Callable[..., Path]) -> None:
    path = video("phone.mp4", rotation=90, aspect=Fraction(4, 3), audio=None)
    assert (facts(path).rotation % 360, facts(path).aspect) == (90, Fraction(4, 3))
    assert facts(run(path).output()) == facts(path)


def test_odd_size(video: Callable[..., Path]) -> None:
    path = video("odd.mp4", size=(63, 47), pixel_format="yuv444p")
    assert facts(run(path).output()) == facts(path)


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_other_containers(clip: Path, suffix: str) -> None:
    pipeline = Pipeline(**SMALL)
    ref = pipeline.put("clip.mp4", clip.read_bytes())
    pipeline.submit(ref, output=BlobRef(container="output", name=f"folder/out{suffix}"))
    assert pipeline.run().state is State.SUCCEEDED
    times, before = facts(pipeline.output()).times, facts(clip).times
    tick = Fraction(1, 1000) if suffix == ".mkv" else 0
    assert len(times) == 48
    assert all(abs((a - times[0]) - (b - before[0])) <= tick for a, b in zip(times, before, strict=True))
    assert [packet[2] for packet in facts(pipeline.output()).copied] == [p[2] for p in facts(clip).copied]


def test_sound_that_mp4_cannot_carry(video: Callable[..., Path]) -> None:
    path = video("pcm.mkv", audio="wavpack")
    pipeline = run(path)
    status = pipeline.status()
    assert status.state is State.SUCCEEDED
    assert status.output is not None and status.output.name == "pcm.identity.mkv"
    pipeline = Pipeline()
    pipeline.submit(pipeline.put("pcm.mkv", path.read_bytes()), output=BlobRef(container="output", name="o.mp4"))
    error = pipeline.run().error
    assert error is not None and error.reason == "unsupported_stream"
    assert ".mp4" in error.description and "wavpack" in error.description and ".mkv" in error.description


@pytest.mark.parametrize("seed", range(5))
def test_any_order_and_duplicates_give_the_same_bytes(clip: Path, seed: int) -> None:
    plain = run(clip, batch_frames=4)
    generator = random.Random(seed)
    pipeline = Pipeline(order=generator.randrange, **SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), batch_frames=4)
    while pipeline.waiting:
        message = pipeline.step()
        if generator.random() < 0.3:  # delivered twice, the second time late
            pipeline.waiting.append(message)
        if len(pipeline.handled) > 2000:
            pytest.fail("does not end")
    assert pipeline.status().state is State.SUCCEEDED
    assert pipeline.output() == plain.output()


def test_nothing_is_left_behind(clip: Path) -> None:
    pipeline = run(clip)
    names = [blob.ref.name for blob in pipeline.store.list("work")]
    assert not [name for name in names if "/frames/" in name or "/styled/" in name or "/encoded/" in name]


def test_the_same_trigger_twice_is_one_run(clip: Path) -> None:
    pipeline = run(clip)
    etag = pipeline.store.stat(BlobRef(container="output", name="clip.identity.mp4")).etag
    pipeline.submit(BlobRef(container="input", name=clip.name))
    pipeline.run()
    assert pipeline.store.stat(BlobRef(container="output", name="clip.identity.mp4")).etag == etag


def test_other_options_under_the_same_run_id_harm_nobody(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    ref = pipeline.put(clip.name, clip.read_bytes())
    pipeline.submit(ref, run_id="mine")
    pipeline.step()
    pipeline.submit(ref, run_id="mine", crf=40)
    assert pipeline.run().state is State.SUCCEEDED
    ((_, error),) = pipeline.dead
    assert error.reason == "run_exists"


def test_a_cancelled_run_stops(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()))
    while not any(isinstance(message, PackReady) for message in pipeline.waiting):
        pipeline.step()
    pipeline.runs.end(pipeline.status().run_id, State.CANCELLED)
    status = pipeline.run()
    assert status.state is State.CANCELLED
    assert not any(isinstance(message, BatchReady | SegmentScored | RunEncoded) for message in pipeline.handled)


def damage(pipeline: Pipeline) -> None:
    """Run until the first batch waits, then overwrite its second frame with noise."""
    while not any(isinstance(message, BatchReady) for message in pipeline.waiting):
        pipeline.step()
    batch = next(message for message in pipeline.waiting if isinstance(message, BatchReady))
    ref = pipeline.runs.blobs(batch.run_id).pack(batch.segment, batch.pack)
    pack = bytearray(pipeline.store.read(ref))
    offsets = pipeline.runs.timeline(batch.run_id, batch.segment).offsets[0]
    pack[offsets[1] + 512 : offsets[1] + 700] = np.random.default_rng(1).bytes(188)
    pipeline.store.write(ref, bytes(pack), metadata=pipeline.store.stat(ref).metadata)


@pytest.mark.parametrize("policy", ["keep_original", "hold_previous"])
def test_a_bad_frame_is_one_failed_frame(clip: Path, policy: str) -> None:
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), bad_frames=policy, batch_frames=4, crf=1)
    damage(pipeline)
    status = pipeline.run()
    assert (status.state, status.failed_frames) == (State.SUCCEEDED, 1)
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(status.run_id).report))
    assert [frame.index for frame in report.failed_frames] == [1]
    assert facts(pipeline.output()) == facts(clip)
    before, after = frames(clip), frames(pipeline.output())
    assert psnr(after[1], before[0]) > 40  # the noise cannot be shown either: the frame before is held
    assert psnr(after[2], before[2]) > 40


def test_a_bad_frame_fails_the_run_by_default(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), batch_frames=4)
    damage(pipeline)
    status = pipeline.run()
    assert status.state is State.FAILED
    assert status.error is not None and status.error.reason == "frame_failed"
    assert "frame 1 of segment 0" in status.error.description


@pytest.mark.parametrize("policy", ["keep_original", "hold_previous"])
def test_a_lost_batch_is_replaced(clip: Path, policy: str) -> None:
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), bad_frames=policy, batch_frames=4, crf=1)
    scorer = pipeline.handlers["batches"]

    def crashes(message: object) -> object:
        if isinstance(message, BatchReady) and (message.segment, message.frames.first) == (1, 4):
            raise PermanentError("the scorer dies of it")
        return scorer(message)  # type: ignore[arg-type]

    pipeline.handlers["batches"] = crashes  # type: ignore[assignment]
    status = pipeline.run()
    assert (status.state, status.failed_frames) == (State.SUCCEEDED, 4)
    before, after = frames(clip), frames(pipeline.output())
    shown = [16, 17, 18, 19] if policy == "keep_original" else [15] * 4
    for index, source in zip(range(16, 20), shown, strict=True):
        assert psnr(after[index], before[source]) > 40


def test_an_unknown_model_fails_the_run(clip: Path) -> None:
    status = run(clip, model="no-such-style").status()
    assert status.state is State.FAILED
    assert status.error is not None and status.error.reason == "unknown_model"
    assert "no-such-style" in status.error.description and "identity" in status.error.description


def test_a_failed_run_goes_on_when_reopened(clip: Path) -> None:
    plain = run(clip, batch_frames=4)
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), batch_frames=4)
    scorer = pipeline.handlers["batches"]

    def broken(message: object) -> object:
        if isinstance(message, BatchReady) and message.segment == 2:
            raise PermanentError("out of order")
        return scorer(message)  # type: ignore[arg-type]

    pipeline.handlers["batches"] = broken  # type: ignore[assignment]
    status = pipeline.run()
    assert (status.state, status.generation) == (State.FAILED, 0)
    pipeline.handlers["batches"] = scorer
    for _ in range(2):  # as two dead letters of the run being replayed
        for message in pipeline.runs.reopen(status.run_id):
            pipeline.send(message)
    status = pipeline.run()
    assert (status.state, status.generation, status.error) == (State.SUCCEEDED, 1, None)
    assert pipeline.output() == plain.output()
    assert pipeline.runs.reopen(status.run_id) == []


def test_a_submitted_blob_starts_no_second_run(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    ref = BlobRef(container="input", name=clip.name)
    pipeline.store.write(ref, clip.read_bytes(), metadata={SUBMITTED: "true"})
    pipeline.waiting.append(RunRequest(input=ref, announced=True))
    pipeline.step()
    assert list(pipeline.runs.ids()) == []
    pipeline.submit(ref)
    assert pipeline.run().state is State.SUCCEEDED


def test_a_bad_member_of_an_array_costs_no_other_one(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    ref = pipeline.put(clip.name, clip.read_bytes())
    good = {"run_id": "good", "input": ref.model_dump()}
    array = TriggerMember(content=json.dumps([{"run_id": "bad"}, 7, good, good, {**good, "run_id": "other"}]).encode())
    pipeline.send(array)
    while pipeline.waiting:
        pipeline.step()
    assert [message.encode() for message, _ in pipeline.dead] == [b'{"run_id":"bad"}', b"7"], "each by itself"
    assert dict(pipeline.runs.ids()) == {"good": State.SUCCEEDED, "other": State.SUCCEEDED}


def test_a_lost_batch_that_was_scored_stays_as_it_is(clip: Path) -> None:
    plain = run(clip, batch_frames=4, bad_frames="hold_previous")
    pipeline = Pipeline(**SMALL)
    pipeline.submit(pipeline.put(clip.name, clip.read_bytes()), batch_frames=4, bad_frames="hold_previous")
    while not isinstance(batch := pipeline.step(), BatchReady):
        pass
    notice = ItemFailed(
        run_id=batch.run_id,
        source="batches",
        item=batch.message_id,
        reason="MaxDeliveryCountExceeded",
        description="the scorer was killed after it had written its pack",
        body=batch.encode().decode(),
    )
    pipeline.send(notice)
    status = pipeline.run()
    assert (status.state, status.failed_frames) == (State.SUCCEEDED, 0)
    assert pipeline.output() == plain.output()


def outputs_of(pipeline: Pipeline) -> dict[str, bytes]:
    """The outputs' bytes by the run's id."""
    found = dict[str, bytes]()
    for run_id, state in pipeline.runs.ids():
        assert state is State.SUCCEEDED
        output = pipeline.runs.status(run_id).output
        assert output is not None
        found[run_id] = pipeline.store.read(output)
    return found


def test_runs_of_a_film_with_other_options_have_outputs_of_their_own(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    ref = pipeline.put(clip.name, clip.read_bytes())
    for strength in (0.5, 1.0):
        pipeline.submit(ref, model="ink", strength=strength, preset="ultrafast")
    while pipeline.waiting:
        pipeline.step()
    alone = [run(clip, model="ink", strength=strength, preset="ultrafast").output() for strength in (0.5, 1.0)]
    assert sorted(outputs_of(pipeline).values()) == sorted(alone)
    names = sorted(blob.ref.name for blob in pipeline.store.list("output"))
    assert len(names) == 2
    assert names[1] == "clip.ink.mp4"
    assert re.fullmatch(r"clip\.ink\.[0-9a-f]{12}\.mp4", names[0])


def test_films_that_differ_in_their_container_have_outputs_of_their_own(video: Callable[..., Path]) -> None:
    pipeline = Pipeline(**SMALL)
    for suffix, count in ((".mp4", 3), (".mov", 4)):
        path = video(f"film{suffix}", pts=range(0, count * 512, 512), audio=None)
        pipeline.submit(pipeline.put(path.name, path.read_bytes()))
    while pipeline.waiting:
        pipeline.step()
    assert sorted(len(facts(output).times) for output in outputs_of(pipeline).values()) == [3, 4]


def test_a_blob_that_comes_under_an_output_s_name_stays(video: Callable[..., Path]) -> None:
    path, pipeline = video("a.mp4", pts=range(0, 1536, 512), audio=None), Pipeline(**SMALL)
    pipeline.submit(pipeline.put("a.mp4", path.read_bytes()))
    while not isinstance(pipeline.waiting[0], RunEncoded):
        pipeline.step()
    output = pipeline.manifest().output
    pipeline.store.write(output, b"somebody's own")
    status = pipeline.run()
    assert status.error is not None and status.error.reason == "output_taken"
    assert pipeline.store.read(output) == b"somebody's own"
