"""Whole runs with styles of the library, and learning jobs, in memory."""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from support.pipeline import Pipeline
from support.video import frames, painting, psnr

from framebrush.contracts import BlobRef, Catalogue, LearningState, LearningTurn, LearnRequest, LibraryStyle, State
from framebrush.errors import LockLost, Unfit
from framebrush.styles import OURS, LearningJobs, Library
from framebrush_scorer.learning import session
from framebrush_scorer.models import WeightsCache
from framebrush_scorer.networks import TransformerNet
from framebrush_scorer.training import Recipe

PICTURE = BlobRef(container="styles", name="wave.png")
FILM = BlobRef(container="input", name="film.mp4")


@pytest.fixture(autouse=True, scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Networks of these tests learn in seconds, and no other process's files are found."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe = partial(Recipe, width=4, blocks=1, size=16, batch=2, natural_edge=48)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "Recipe", recipe)
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield
    torch.set_num_threads(threads)


def finish(pipeline: Pipeline) -> None:
    while pipeline.waiting:
        pipeline.step()


def weights(seed: int, *, broken: bool = False) -> bytes:
    torch.manual_seed(seed)
    net = TransformerNet(4, 1, "batch")
    if broken:
        torch.nn.init.constant_(net.deconv3.conv2d.bias, float("nan"))
    return save(net.state_dict())


def add(pipeline: Pipeline, name: str, content: bytes) -> LibraryStyle:
    style = LibraryStyle(
        name=name, digest=hashlib.sha256(content).hexdigest(), size=len(content), added=datetime.now(UTC), title=name,
        card="{}",
    )  # fmt: skip
    Library(pipeline.store, "styles").add(style, content)
    return style


def test_a_run_is_painted_in_a_style_of_the_library_as_it_was_when_it_was_planned(film: bytes) -> None:
    outputs = []
    for replaced in (False, True):
        pipeline = Pipeline()
        style = add(pipeline, "mine", weights(1))
        pipeline.submit(pipeline.put("film.mp4", film), model="mine", more_models=("identity",), crf=1)
        while pipeline.waiting[0].model_dump()["kind"] != "batch_ready":
            pipeline.step()
        if replaced:
            add(pipeline, "mine", weights(2))
            Library(pipeline.store, "styles").remove("mine")
        assert pipeline.run().state is State.SUCCEEDED
        assert pipeline.manifest().styles == {"mine": style.pinned}
        outputs.append(pipeline.output())
    assert outputs[0] == outputs[1]
    assert all(psnr(a, b) < 30 for a, b in zip(frames(outputs[0]), frames(film), strict=True))


def test_another_version_of_a_style_is_another_run(film: bytes) -> None:
    pipeline = Pipeline()
    ref = pipeline.put("film.mp4", film)
    for seed in (1, 2, 2):
        add(pipeline, "mine", weights(seed))
        pipeline.submit(ref, model="mine")
        finish(pipeline)
    assert len(list(pipeline.runs.ids())) == 2


def test_an_unknown_style_is_refused_before_anything_is_decoded(film: bytes) -> None:
    pipeline = Pipeline()
    Library(pipeline.store, "styles").write_catalogue(Catalogue(models=OURS))
    pipeline.submit(pipeline.put("film.mp4", film), model="gouahce")
    status = pipeline.run()
    assert status.state is State.FAILED
    assert status.error is not None
    assert status.error.reason == "unknown_model"
    assert "did you mean gouache?" in status.error.description
    assert {message.queue for message in pipeline.handled} == {"triggers", "frames"}


@pytest.mark.parametrize("damage", ["replaced", "truncated", "missing", "not finite", "no network"])
def test_damaged_weights_fail_their_run_alone(film: bytes, damage: str) -> None:
    pipeline = Pipeline()
    content = {"not finite": weights(1, broken=True), "no network": b"no weights at all"}.get(damage, weights(3))
    style = add(pipeline, "mine", content)
    ref = BlobRef(container="styles", name=f"weights/{style.digest}.safetensors")
    match damage:
        case "replaced":
            pipeline.store.write(ref, weights(2))
        case "truncated":
            pipeline.store.write(ref, content[:-100])
        case "missing":
            pipeline.store.delete([ref])
    source = pipeline.put("film.mp4", film)
    pipeline.submit(source, run_id="bad", model="mine")
    pipeline.submit(source, run_id="good", model="identity")
    finish(pipeline)
    assert pipeline.runs.status("good").state is State.SUCCEEDED
    error = pipeline.runs.status("bad").error
    assert error is not None
    assert error.reason == "invalid_weights"
    if damage in ("truncated", "missing"):  # nothing was paid for
        assert not any(message.model_dump().get("run_id") == "bad" and message.queue == "batches"
                       for message in pipeline.handled)  # fmt: skip


def test_weights_are_fetched_once_and_checked_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline()
    style, library = add(pipeline, "mine", weights(1)), Library(pipeline.store, "styles")
    cache, reads = WeightsCache(library, tmp_path / "cache"), list[str]()
    monkeypatch.setattr(library, "weights", lambda digest: reads.append(digest) or weights(1))
    for _ in range(3):
        assert cache.file(style.digest).read_bytes() == weights(1)
    cache.file(style.digest).write_bytes(b"damaged")
    assert cache.file(style.digest).read_bytes() == weights(1)
    assert len(reads) == 2
    for number in range(40):
        (cache.folder / f"{number}.safetensors").write_bytes(b"")
    (cache.folder / f"{style.digest}.safetensors").unlink()
    cache.file(style.digest)
    assert len(list(cache.folder.iterdir())) == 32


def learner(film: bytes, **settings: Any) -> Pipeline:
    """A pipeline whose turns take a single step each."""
    pipeline = Pipeline(learner={"learn_turn": 1e-9, "device": "cpu", **settings})
    pipeline.store.write(PICTURE, painting(1))
    pipeline.put("film.mp4", film)
    return pipeline


def request(**fields: Any) -> LearnRequest:
    return LearnRequest(**{"name": "mine", "picture": "wave.png", "content": (FILM,), "steps": 10} | fields)


@pytest.fixture(scope="module")
def learned(film: bytes) -> Pipeline:
    pipeline = learner(film)
    pipeline.send(request(title="A wave"))
    finish(pipeline)
    return pipeline


def test_a_picture_is_learned_in_turns_and_paints(learned: Pipeline, film: bytes) -> None:
    [status] = LearningJobs(learned.store, "styles").statuses()
    assert (status.state, status.step, status.steps) == (LearningState.SUCCEEDED, 10, 10)
    assert sum(isinstance(message, LearningTurn) for message in learned.handled) == 10
    library = Library(learned.store, "styles")
    [style] = library.styles()
    assert (style.name, style.title, style.natural_edge, style.strokes) == ("mine", "A wave", 48, True)
    assert style.digest == status.digest
    training = json.loads(style.card)["training"]
    assert (training["like"], training["content"]) == ("wave.png", "input/film.mp4")
    preview = library.preview(style)
    assert preview is not None
    assert preview.startswith(b"\x89PNG")
    names = [blob.ref.name.rpartition("/")[2] for blob in learned.store.list("styles", "learning/")]
    assert sorted(names) == ["job.json", "preview.png", "status.json"]
    learned.submit(FILM, model="mine")
    assert learned.run().state is State.SUCCEEDED


def test_a_learner_that_is_cut_off_anywhere_ends_with_the_same_style(learned: Pipeline, film: bytes) -> None:
    pipeline = learner(film)
    original, writes = pipeline.store.write, Counter[str]()

    def interrupted(ref: BlobRef, data: Any, **conditions: Any) -> str:
        """The first time, a blob is not written before the end, and the second time it is."""
        writes[ref.name] += 1
        if writes[ref.name] == 1:
            raise LockLost
        etag = original(ref, data, **conditions)
        if writes[ref.name] == 2:
            raise LockLost
        return etag

    pipeline.send(request(title="A wave"))
    pipeline.store.write = interrupted  # type: ignore[method-assign]
    for _ in range(100):
        if not pipeline.waiting:
            break
        message = pipeline.waiting[0]
        try:
            pipeline.step()
        except LockLost:
            pipeline.waiting.appendleft(message)
    [status], [style] = (list(each) for each in (LearningJobs(pipeline.store, "styles").statuses(),
                                                 Library(pipeline.store, "styles").styles()))  # fmt: skip
    assert status.state is LearningState.SUCCEEDED
    assert len(writes) > 6
    [reference] = Library(learned.store, "styles").styles()
    ours, theirs = (json.loads(each.card)["training"] | {"seconds": 0} for each in (style, reference))
    assert ours == theirs
    assert style.digest == reference.digest


def test_a_job_that_comes_twice_is_one(learned: Pipeline) -> None:
    before = {blob.ref.name: blob.etag for blob in learned.store.list("styles")}
    learned.waiting.append(request(title="A wave"))
    [status] = LearningJobs(learned.store, "styles").statuses()
    learned.waiting.append(LearningTurn(job=status.job, turn=3))
    finish(learned)
    assert {blob.ref.name: blob.etag for blob in learned.store.list("styles")} == before


def test_two_learners_of_one_job_do_not_both_go_on(film: bytes) -> None:
    pipeline = learner(film)
    pipeline.send(request())
    pipeline.step()
    [turn] = pipeline.waiting
    other = Pipeline(store=pipeline.store, learner={"learn_turn": 1e-9, "device": "cpu"})
    pipeline.step()  # This one has the training in memory.
    other.waiting.append(turn)
    other.step()
    original = pipeline.handlers["learnings"]._session.fresh  # type: ignore[attr-defined]
    pipeline.handlers["learnings"]._session.fresh = lambda: True  # type: ignore[attr-defined]  # frozen right after
    assert not original()
    pipeline.step()
    assert not pipeline.waiting
    [status] = LearningJobs(pipeline.store, "styles").statuses()
    assert (status.state, status.step) == (LearningState.LEARNING, 2)


def test_a_job_that_is_ended_stops_and_goes_on_when_it_is_reopened(film: bytes) -> None:
    pipeline = learner(film)
    pipeline.send(request())
    for _ in range(3):
        pipeline.step()
    jobs = LearningJobs(pipeline.store, "styles")
    [status] = jobs.statuses()
    jobs.update(status.job, state=LearningState.CANCELLED)
    finish(pipeline)
    assert jobs.status(status.job).step == status.step
    jobs.reopen(status.job)
    pipeline.send(LearningTurn(job=status.job, turn=1000))
    finish(pipeline)
    assert jobs.status(status.job).state is LearningState.SUCCEEDED


@pytest.mark.parametrize(
    ("picture", "content", "reason", "words"),
    [
        (b"no picture", None, "invalid_picture", "wave.png is no picture"),
        (None, b"no film", "invalid_video", "film.mp4 is neither a film nor a picture"),
        (None, "plain", "invalid_content", "the content has no variety"),
    ],
)
def test_what_cannot_be_learned_fails_the_job_with_its_reason(
    film: bytes, picture: bytes | None, content: bytes | str | None, reason: str, words: str,
    plain: Callable[[], bytes],
) -> None:  # fmt: skip
    pipeline = learner(plain() if content == "plain" else content if isinstance(content, bytes) else film)
    if picture:
        pipeline.store.write(PICTURE, picture)
    pipeline.send(request())
    finish(pipeline)
    [status] = LearningJobs(pipeline.store, "styles").statuses()
    assert status.state is LearningState.FAILED
    assert status.error is not None
    assert status.error.reason == reason
    assert words in status.error.description
    assert pipeline.dead == []


@pytest.fixture
def plain() -> Callable[[], bytes]:
    import cv2
    import numpy as np

    return lambda: cv2.imencode(".png", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()


def test_a_learner_without_its_device_leaves_the_job_to_others(film: bytes) -> None:
    pipeline = learner(film, device="cuda:99")
    pipeline.send(request())
    pipeline.step()
    with pytest.raises(Unfit, match="cuda:99"):
        pipeline.step()
    [status] = LearningJobs(pipeline.store, "styles").statuses()
    assert status.state is LearningState.LEARNING


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"picture": "absent.png"}, "blob_not_found"),
        ({"content": (BlobRef(container="input", name="absent.mp4"),)}, "blob_not_found"),
        ({"content": (FILM, BlobRef(container="work", name="status/film.json"))}, "access_denied"),
    ],
)
def test_a_request_for_what_is_missing_or_not_open_is_put_aside(
    film: bytes, fields: dict[str, Any], reason: str
) -> None:
    pipeline = learner(film)
    pipeline.send(request(**fields))
    finish(pipeline)
    [(_, error)] = pipeline.dead
    assert error.reason == reason
    assert list(LearningJobs(pipeline.store, "styles").statuses()) == []
