"""Whole runs that paint like a picture, in memory."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.pipeline import Pipeline
from support.video import facts, frames, painting, psnr

from framebrush.contracts import (
    PICTURE,
    STYLE_IMAGE,
    BlobRef,
    Options,
    Report,
    RunRequest,
    State,
    StyleImage,
    Trigger,
    derive_run_id,
)
from framebrush.errors import InvalidMessage
from framebrush.pictures import network_file

WAVE, NIGHT = StyleImage(name="wave.png"), StyleImage(name="old/night.png", weight=0.5)


def pipeline(**settings: object) -> Pipeline:
    found = Pipeline(**settings)
    for seed, image in enumerate((WAVE, NIGHT)):
        found.store.write(BlobRef(container="styles", name=image.name), painting(seed))
    return found


def run(film: bytes, *images: StyleImage, **options: object) -> Pipeline:
    found = pipeline()
    found.submit(found.put("film.mp4", film), style_images=images, **options)
    found.run()
    return found


def test_a_run_paints_like_its_pictures(film: bytes) -> None:
    runs = [run(film, WAVE, crf=1), run(film, NIGHT, crf=1), run(film, WAVE, NIGHT, crf=1), run(film, crf=1)]
    assert [each.status().state for each in runs] == [State.SUCCEEDED] * 4
    assert [each.status().model for each in runs] == [PICTURE] * 3 + ["identity"]
    outputs = [frames(each.output()) for each in runs]
    assert all(
        psnr(a, b) < 30
        for k, one in enumerate(outputs)
        for other in outputs[:k]
        for a, b in zip(one, other, strict=True)
    )
    assert facts(runs[0].output()).times == facts(film).times
    style = runs[2].manifest().style
    assert style is not None
    assert [(found.name, found.weight, found.width, found.height) for found in style.pictures] == [
        ("wave.png", 1.0, 96, 64),
        ("old/night.png", 0.5, 96, 64),
    ]
    singles = [found.vector for each in runs[:2] if (found := each.manifest().style)]
    assert np.allclose(style.vector, np.average(singles, axis=0, weights=[1, 0.5]), atol=1e-5)
    assert runs[2].status().style_images == (WAVE, NIGHT)
    blob = runs[2].runs.blobs(runs[2].status().run_id).report
    assert Report.decode(runs[2].store.read(blob)).options.style_images == (WAVE, NIGHT)
    assert runs[3].manifest().style is None


def test_all_controls_and_further_models_work(film: bytes) -> None:
    options = {"keep_colors": True, "scale": 2.0, "smoothing": 0.5, "strength": 0.5}
    found = run(film, WAVE, model="ink", more_models=(PICTURE,), **options)
    assert found.status().state is State.SUCCEEDED
    assert [ref.name for ref in found.status().outputs] == ["film.ink.mp4", "film.picture.mp4"]
    untouched = run(film, WAVE, strength=0.0, crf=1)
    assert all(psnr(a, b) > 40 for a, b in zip(frames(film), frames(untouched.output()), strict=True))


def test_a_run_without_strokes_is_one_that_earlier_releases_refuse(film: bytes) -> None:
    plain, as_it_is = run(film, WAVE, strokes=False), run(film, WAVE)
    assert plain.output() != as_it_is.output()
    assert plain.manifest().version == 6
    assert as_it_is.manifest().version == 1
    assert b"strokes" not in as_it_is.manifest().encode()


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (None, "blob_not_found", "styles/wave.png"),
        (b"", "invalid_picture", "styles/wave.png is empty"),
        (b"<svg/>", "invalid_picture", "styles/wave.png is no picture"),
        (painting(0)[:100], "invalid_picture", "styles/wave.png is a damaged picture"),
    ],
)
def test_a_bad_picture_ends_its_run_before_its_film_is_read(
    film: bytes, content: bytes | None, reason: str, words: str
) -> None:
    found = Pipeline()
    if content is not None:
        found.store.write(BlobRef(container="styles", name=WAVE.name), content)
    found.submit(found.put("film.mp4", film), style_images=(WAVE,))
    status = found.run()
    assert status.state is State.FAILED
    assert status.error is not None
    assert (status.error.reason, words in status.error.description) == (reason, True)
    assert {message.queue for message in found.handled} == {"triggers", "frames"}


def test_a_large_picture_names_the_setting(film: bytes) -> None:
    found = pipeline(max_picture_pixels=1000)
    found.submit(found.put("film.mp4", film), style_images=(WAVE,))
    status = found.run()
    assert status.error is not None
    assert "96x64 pixels are more than 1000: if that is wanted, raise FRAMEBRUSH_MAX_PICTURE_PIXELS" in (
        status.error.description
    )


def test_without_networks_such_a_run_fails_and_others_work(film: bytes, tmp_path: Path) -> None:
    found = pipeline(picture_networks=tmp_path)
    found.submit(found.put("film.mp4", film), run_id="painted", style_images=(WAVE,))
    found.submit(found.put("film.mp4", film), run_id="copied")
    while found.waiting:
        found.step()
    painted, copied = (found.runs.status(run_id) for run_id in ("painted", "copied"))
    assert painted.error is not None
    assert (painted.state, painted.error.reason) == (State.FAILED, "no_picture_network")
    assert copied.state is State.SUCCEEDED


def test_a_dropped_blob_names_its_pictures_in_its_metadata(film: bytes) -> None:
    found = pipeline()
    ref = BlobRef(container="input", name="film.mp4")
    found.store.write(ref, film, metadata={STYLE_IMAGE: "wave.png, old/night.png=0.5"})
    found.waiting.append(RunRequest(input=ref, announced=True))
    status = found.run()
    assert (status.state, status.model, status.style_images) == (State.SUCCEEDED, PICTURE, (WAVE, NIGHT))


@pytest.mark.parametrize("named", ["../wave.png", "wave.png=0", "a,,b", "wave.png, wave.png"])
def test_bad_metadata_is_named(film: bytes, named: str) -> None:
    found = pipeline()
    ref = BlobRef(container="input", name="film.mp4")
    found.store.write(ref, film, metadata={STYLE_IMAGE: named})
    found.waiting.append(RunRequest(input=ref, announced=True))
    found.step()
    ((_, error),) = found.dead
    assert error.reason == "invalid_message"
    assert "metadata framebrush_style_image of input/film.mp4" in str(error)


def test_a_picture_with_other_content_makes_another_run(film: bytes) -> None:
    found = pipeline()
    ref = found.put("film.mp4", film)
    found.submit(ref, style_images=(WAVE,))
    found.run()
    found.store.write(BlobRef(container="styles", name=WAVE.name), painting(7))
    found.submit(ref, style_images=(WAVE,))
    while found.waiting:
        found.step()
    states = [found.runs.status(run_id) for run_id, _ in found.runs.ids()]
    assert [status.state for status in states] == [State.SUCCEEDED] * 2
    first, second = (found.runs.manifest(status.run_id) for status in states)
    assert first.style != second.style
    assert first.output != second.output


def test_the_etags_of_pictures_are_part_of_an_id() -> None:
    ref, options = BlobRef(container="input", name="a.mp4"), Options(model=PICTURE, style_images=(WAVE,))
    ids = {derive_run_id(ref, "1", options, None, etags) for etags in (["1"], ["2"], ['"1"'])}
    assert len(ids) == 2


def other_processor(folder: Path) -> Path:
    """Networks whose numbers differ a little, as those of another processor do."""
    model = onnx.load(network_file("predict"))
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size == 1:
            tensor.CopyFrom(numpy_helper.from_array(array * np.float32(1.01), tensor.name))
    onnx.save(model, folder / "arbitrary_predict.onnx")
    return folder


def test_all_pods_paint_by_the_numbers_that_were_written_first(film: bytes, tmp_path: Path) -> None:
    """A splitter that dies after it has planned, and another one on another kind of processor that plans again."""
    first = pipeline()
    request = RunRequest(run_id="a", input=first.put("film.mp4", film), options=Options(style_images=(WAVE,)))
    first.send(request)
    first.step()
    planned = first.manifest()
    second = Pipeline(store=first.store, picture_networks=other_processor(tmp_path))
    second.send(request)
    assert second.run().state is State.SUCCEEDED
    assert second.manifest() == planned
    alone = pipeline(picture_networks=tmp_path)
    alone.put("film.mp4", film)
    alone.send(request)
    alone.run()
    assert alone.manifest().style != planned.style  # they do differ
    first.run()
    assert first.output() == second.output()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": PICTURE}, "needs style_images"),
        ({"model": "ink", "style_images": [{"name": "a.png"}]}, "leave model out"),
        ({"style_images": [{"name": "a.png"}, {"name": "a.png", "weight": 2}]}, "named twice"),
        ({"style_images": [{"name": "../a.png"}]}, "no part of the name"),
        ({"style_images": [{"name": "a.png", "weight": 0}]}, "greater than 0"),
        ({"style_images": [{"name": f"{k}.png"} for k in range(9)]}, "at most 8"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, object], words: str) -> None:
    body = json.dumps({"kind": "run_request", "input": {"container": "input", "name": "a.mp4"}, "options": options})
    with pytest.raises(InvalidMessage, match=words):
        Trigger.decode(body.encode(), input_container="input")


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("wave.jpg", StyleImage(name="wave.jpg")),
        ("wave.jpg=0.4", StyleImage(name="wave.jpg", weight=0.4)),
        ("a=b.jpg", StyleImage(name="a=b.jpg")),
        ("a=b.jpg=2", StyleImage(name="a=b.jpg", weight=2)),
    ],
)
def test_pictures_are_named_as_people_write_them(text: str, image: StyleImage) -> None:
    assert StyleImage.parse(text) == image
    assert str(image) == text
