"""Every output that can be asked for, through the four services and read back; and those that cannot be, refused."""

import io
import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.carried import carried, rows
from support.film import Film, Sound, Text
from support.pipeline import Pipeline
from support.torture.structure import MS
from support.torture.tracks import ASS, ASS_LINES
from support.video import psnr

from framebrush.contracts import (
    CONTAINERS,
    ENCODERS,
    FORMATS,
    VALUES,
    BlobRef,
    Encoder,
    Encoding,
    Options,
    Report,
    RunRequest,
    State,
    Status,
    VideoProperties,
)
from framebrush.media import BgrImage, Converter, MediaInfo, add_encoder, compare, open_encoder, read_media_info
from framebrush_splitter.dry_run import dry_run

PAGE = Path(__file__).parents[2] / "docs" / "video.md"
FILM = Film(size=(64, 64), pts=tuple(range(0, 6 * 512, 512)), gop=3, sounds=(), options={"bf": "0"})
TAGGED = Film(
    size=(64, 64), pts=FILM.pts, gop=3, sounds=(), tags={"colorspace": 1, "color_trc": 1, "color_primaries": 1}
)
SOFTWARE = [encoder for encoder in ENCODERS if encoder.backend == "software"]
COMBINATIONS = [
    (encoder.codec, encoder.formats[key], CONTAINERS[encoder.codec][number % len(CONTAINERS[encoder.codec])], *key)
    for encoder in SOFTWARE
    for number, key in enumerate(encoder.formats)
]
"""Every encoder's every pixel format, in one of its containers each."""
LOSSLESS = [(encoder.codec, suffix) for encoder in SOFTWARE if encoder.lossless is not None and ("rgb", 8) in
            encoder.formats for suffix in CONTAINERS[encoder.codec] if suffix != ".m4v"]  # fmt: skip


def run(path: Path, output: str | None = None, **options: object) -> tuple[Pipeline, Status]:
    pipeline = Pipeline(segment_frames=3)
    ref = output and BlobRef(container="output", name=output)
    pipeline.submit(
        pipeline.put(path.name, path.read_bytes()), output=ref or None, **{"preset": "ultrafast", **options}
    )
    return pipeline, pipeline.run()


def facts(data: bytes) -> MediaInfo:
    with av.open(io.BytesIO(data), "r") as container:
        return read_media_info(container)


def images(data: bytes) -> list[BgrImage]:
    """All frames as RGB, as their tags mean it."""
    converter = Converter(facts(data).video)
    with av.open(io.BytesIO(data), "r") as container:
        return [converter.to_image(frame) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FILM.write(tmp_path_factory.mktemp("outputs") / "film.mp4")


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TAGGED.write(tmp_path_factory.mktemp("outputs") / "tagged.mp4")


@pytest.mark.parametrize(("codec", "pixel_format", "suffix", "colors", "bits"), COMBINATIONS)
def test_an_output(tagged: Path, codec: str, pixel_format: str, suffix: str, colors: str, bits: int) -> None:
    rate = {} if codec in ("prores", "ffv1") else {"crf": 8}
    pipeline, status = run(tagged, f"o{suffix}", codec=codec, pixel_format=colors, bits=bits, **rate)
    assert status.state is State.SUCCEEDED, status.error
    assert len(pipeline.manifest().segments) == 2
    found = facts(pipeline.output())
    assert [check for check in compare(facts(tagged.read_bytes()), found) if not check.ok] == []
    assert found.video.codec == {"h265": "hevc"}.get(codec, codec)
    with av.open(io.BytesIO(pipeline.output())) as container:
        depth = container.streams.video[0].format.components[0].bits
    assert depth == bits or (codec == "prores" and depth == 12)  # FFmpeg decodes 4444 to twelve
    before, after = images(tagged.read_bytes()), images(pipeline.output())
    assert min(psnr(a, b) for a, b in zip(before, after, strict=True)) >= 38


@pytest.mark.parametrize(("codec", "suffix"), LOSSLESS)
def test_without_loss_every_pixel_is_the_same(film: Path, codec: str, suffix: str) -> None:
    pipeline, status = run(film, f"o{suffix}", codec=codec, lossless=True, pack_codec="png")
    assert status.state is State.SUCCEEDED, status.error
    assert np.array_equal(images(film.read_bytes()), images(pipeline.output()))


@pytest.mark.parametrize(("codec", "bits"), [("h264", 8), ("h264", 10), ("h265", 10), ("vp9", 8), ("ffv1", 10)])
def test_yuv_without_loss(film: Path, codec: str, bits: int) -> None:
    options = {"codec": codec, "lossless": True, "pixel_format": "yuv444p", "bits": bits, "pack_codec": "png"}
    pipeline, status = run(film, **options)
    assert status.state is State.SUCCEEDED, status.error
    before, after = images(film.read_bytes()), images(pipeline.output())
    assert np.abs(np.subtract(before, after, dtype=np.int16)).max() <= (3 if bits == 8 else 1)  # of conversion alone


def test_the_packs_of_a_default_run_keep_45_db(film: Path) -> None:
    pipeline, _ = run(film, "o.mkv", codec="ffv1")
    before, after = images(film.read_bytes()), images(pipeline.output())
    assert min(psnr(a, b) for a, b in zip(before, after, strict=True)) >= 45


@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "vp9"])
def test_a_bitrate_is_kept_to(film: Path, codec: str) -> None:
    sizes = [len(run(film, codec=codec, bitrate=rate)[0].output()) for rate in (20_000, 2_000_000)]
    assert sizes[0] < sizes[1]


def test_the_index_of_an_mp4_is_where_it_was_asked_for(film: Path) -> None:
    for fast in (True, False):
        data = run(film, fast_start=fast)[0].output()
        assert (data.index(b"moov") < data.index(b"mdat")) is fast


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_hevc_is_called_as_apples_players_want_it(film: Path, suffix: str) -> None:
    data = run(film, f"o{suffix}", codec="h265")[0].output()
    assert b"hvc1" in data and b"hev1" not in data


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4"])
def test_the_same_run_gives_the_same_bytes(film: Path, suffix: str) -> None:
    assert run(film, f"o{suffix}", codec="vp9")[0].output() == run(film, f"o{suffix}", codec="vp9")[0].output()


REFUSED = {
    "an odd size": (Film(size=(63, 47), pixel_format="yuv444p", sounds=()), {"pixel_format": "yuv420p"}, ".mp4",
                    "h264 by software cannot be 63x47 in yuv420p; it would fit into .mp4"),
    "a small one": (Film(size=(16, 16), sounds=()), {"codec": "av1"}, ".webm", "av1 by software cannot be 16x16"),
    "PCM in WebM": (Film(**MS, sounds=(Sound("pcm_s16le"),)), {"codec": "vp9"}, ".webm",
                    ".webm cannot carry the input's audio stream 1 (pcm_s16le); it would fit into .mkv"),
    "ASS in MP4": (Film(**MS, sounds=(), texts=(Text("ass", ASS_LINES, header=ASS),)), {}, ".mp4",
                   ".mp4 cannot carry the input's subtitle stream 1 (ass); it would fit into .mkv"),
    "pixels that are not square": (Film(aspect=Fraction(4, 3), sounds=()), {"codec": "vp9"}, ".webm",
                                   "pixel aspect: 1:1 instead of 4:3; it would fit into .mp4"),
    "no GPU": (FILM, {"encoder": "nvenc"}, ".mp4", "no NVENC (FRAMEBRUSH_NVENC); it would fit into .mp4"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_input_does_not_allow_is_refused_before_any_work(tmp_path: Path, case: str) -> None:
    film, options, suffix, words = REFUSED[case]
    path = film.write(tmp_path / "film.mkv")
    pipeline, status = run(path, f"o{suffix}", **options)
    assert status.state is State.FAILED and status.error is not None
    assert status.error.reason == "unsupported_stream"
    assert words in status.error.description
    assert "fit into" in status.error.description
    left = [blob.ref for blob in pipeline.store.list("work", "runs/")]
    assert left == [pipeline.runs.blobs(status.run_id).request], "no plan, no frames"


@pytest.mark.parametrize("case", REFUSED)
def test_or_the_next_best_is_made_if_the_run_says_so(tmp_path: Path, case: str) -> None:
    film, options, suffix, _ = REFUSED[case]
    path = film.write(tmp_path / "film.mkv")
    pipeline, status = run(path, f"o{suffix}", fall_back=True, **options)
    assert status.state is State.SUCCEEDED, status.error
    manifest = pipeline.manifest()
    assert any("the output is " in note for note in manifest.notes)
    assert status.output == manifest.output and manifest.output.name.startswith("o.")
    checks = compare(facts(path.read_bytes()), facts(pipeline.output()))
    assert [check for check in checks if not check.ok] == []


@pytest.mark.parametrize(
    ("options", "suffix", "words"),
    [
        ({"codec": "h264"}, ".webm", r"\.webm cannot carry h264: take \.mp4, .*, or the codec av1, vp9"),
        ({"codec": "prores"}, ".mp4", r"take \.mov, \.mkv, or the codec h264, h265, av1, vp9"),
        ({"codec": "vp9", "bits": 10}, ".webm", "no encoder for vp9, auto, 10 bits, by software; .*av1.*bits 8"),
        ({"codec": "av1", "lossless": True}, ".webm", "no encoder for av1, lossless.*codec h264, h265, vp9, ffv1"),
        ({"codec": "vp9", "encoder": "nvenc"}, ".webm", "no encoder for vp9.*encoder software"),
        ({"codec": "prores", "crf": 20}, ".mov", "prores has no crf; av1, h264, h265, vp9 have"),
        ({"codec": "h265", "crf": 52}, ".mp4", "crf: at most 51 for h265, got 52"),
        ({"crf": 20, "bitrate": 100_000}, ".mp4", "crf and bitrate exclude each other"),
        ({"lossless": True, "bitrate": 100_000}, ".mp4", "bitrate and lossless exclude each other"),
    ],
)
def test_what_never_works_is_no_valid_request(options: dict[str, object], suffix: str, words: str) -> None:
    refs = {"input": BlobRef(container="input", name="a.mp4"), "output": BlobRef(container="output", name=f"o{suffix}")}
    with pytest.raises(ValidationError, match=words):
        RunRequest(**refs, options=Options(**options))


encodings = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()})
rates = st.sampled_from([{}, {"crf": 18}, {"crf": 60}, {"bitrate": 10**6}])


@given(encodings, rates, st.integers(1, 20000), st.integers(1, 20000))
def test_every_encoding_is_refused_with_reasons_or_has_an_encoder(
    fields: dict[str, object], rate: dict[str, int], width: int, height: int
) -> None:
    try:
        encoding = Encoding(**{**fields, **rate})  # type: ignore[arg-type]
    except ValidationError as refused:
        words = ("possible are", "exclude each other", "at most", "has no")
        if not any(each in str(refused) for each in words):
            pytest.fail(str(refused))
        return
    assert Encoding.model_validate_json(encoding.model_dump_json()) == encoding
    choice = encoding.choose(width, height)
    if choice is not None:
        assert choice.encoder.accepts(choice.colors, width, height)
        assert encoding.pixel_format in ("auto", choice.colors) and encoding.bits == choice.bits
        told = encoding.options(choice.encoder, width * height)
        assert all(isinstance(value, str) for value in told.values())
        assert ("b" in told) == (encoding.bitrate is not None)


@given(st.sampled_from(sorted(CONTAINERS)), st.sampled_from(sorted(FORMATS)))
def test_a_container_carries_a_codec_or_says_what_does(codec: str, suffix: str) -> None:
    problem = Encoding(codec=codec).unsuited(suffix)  # type: ignore[arg-type]
    assert (problem is None) == (suffix in CONTAINERS[codec])
    assert problem is None or CONTAINERS[codec][0] in problem


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: f"{encoder.name}-{next(iter(encoder.formats))[0]}")
def test_ffmpeg_has_every_encoder_and_knows_its_options(encoder: Encoder) -> None:
    codec = av.Codec(encoder.name, "w")
    assert set(encoder.formats.values()) <= {each.name for each in codec.video_formats or ()}
    wishes: list[dict[str, Any]] = [{"preset": preset} for preset in encoder.presets]
    wishes += [{"crf": encoder.max_crf}, {"bitrate": 10**6}] if encoder.crf is not None else [{}]
    wishes += [{"lossless": True}] if encoder.lossless is not None else []
    for wish in wishes if encoder.backend == "software" else ():
        ((colors, bits), pixel_format), *_ = encoder.formats.items()
        encoding = Encoding(codec=encoder.codec, pixel_format=colors, bits=bits, **wish)  # type: ignore[arg-type]
        context = av.CodecContext.create(encoder.name, "w")
        context.width = context.height = 64
        context.pix_fmt, context.time_base, context.framerate = pixel_format, Fraction(1, 25), Fraction(25)
        context.options = encoding.options(encoder, 64 * 64)
        context.open()
        assert not context.options, "those that it does not know are left"


VIDEO = VideoProperties(
    stream=0, codec="h264", width=64, height=64, pixel_format="yuv420p", time_base=(1, 12800), frame_rate=(25, 1),
    sample_aspect_ratio=(1, 1), rotation=None, color_range=1, color_primaries=1, color_trc=1, color_space=1,
)  # fmt: skip
UNUSUAL = {"ffv1": {".mp4", ".m4v"}}
"""What FFmpeg would write, and hardly anything reads."""


@pytest.mark.parametrize("codec", CONTAINERS)
def test_containers_carry_what_the_table_says_and_nothing_else(codec: str) -> None:
    options = Options(codec=codec)  # type: ignore[arg-type]
    carrying = {suffix for suffix in FORMATS if dry_run(suffix, options, VIDEO) is None}
    assert carrying - UNUSUAL.get(codec, set()) == set(CONTAINERS[codec])


def test_no_encoder_takes_the_machine_for_itself() -> None:
    with av.open(io.BytesIO(), "w", format="nut") as container:
        options = Options(codec="av1")
        choice = options.choose(VIDEO.width, VIDEO.height)
        assert choice is not None
        stream = add_encoder(container, VIDEO, options, choice, threads=1)
        container.mux(stream.encode(av.VideoFrame(VIDEO.width, VIDEO.height, choice.pixel_format)))
        schedulers = list[int]()
        for each in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # a thread of an earlier test that ended just now
                schedulers.append(os.sched_getscheduler(int(each.name)))
        assert len(schedulers) > 2, "the encoder has its own"
        assert set(schedulers) == {os.SCHED_OTHER}


@pytest.mark.parametrize(
    "encoder", [each for each in SOFTWARE if each.requires_even_size or each.min_size > 1], ids=lambda e: e.name
)
def test_sizes_are_refused_that_encoders_refuse(encoder: Encoder) -> None:
    (colors, bits), pixel_format = next(iter(encoder.formats.items()))
    for width, height in ((64, 64), (encoder.min_size, encoder.min_size), (63, 64), (64, 63)):
        context = av.CodecContext.create(encoder.name, "w")
        context.width, context.height, context.pix_fmt = width, height, pixel_format
        context.time_base, context.options = Fraction(1, 25), dict(encoder.fixed)
        try:
            open_encoder(context)
            opened = True
        except av.FFmpegError:
            opened = False
        assert opened or not encoder.accepts(colors, width, height), (width, height, bits)
        assert not opened or encoder.accepts(colors, width, height) or encoder.codec == "av1", (width, height, bits)


def test_the_page_lists_what_containers_carry(tmp_path: Path) -> None:
    page = PAGE.read_text()
    for row in rows({codec: list(suffixes) for codec, suffixes in CONTAINERS.items()}) + rows(carried(tmp_path)):
        assert row in page, row


def test_a_time_of_creation_that_is_not_known_is_not_missed(film: Path, tmp_path: Path) -> None:
    """Old muxers write the zero of the clock into MP4, and new ones leave it out."""
    path, day = tmp_path / "old.mp4", 2082844800 + 86_400  # Seconds since 1904 (ISO/IEC 14496-12, 8.2.2).
    with av.open(str(film)) as source, av.open(str(path), "w") as container:
        container.metadata["creation_time"] = "1970-01-02T00:00:00Z"
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    data = path.read_bytes()
    assert day.to_bytes(4, "big") in data
    path.write_bytes(data.replace(day.to_bytes(4, "big"), (day - 86_400).to_bytes(4, "big")))
    with av.open(str(path)) as container:
        assert container.metadata["creation_time"].startswith("1970-01-01T00:00:00")
    pipeline, status = run(path, preset="ultrafast")
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(status.run_id).report))
    assert [check for check in report.checks if not check.ok] == []
