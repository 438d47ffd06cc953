"""Sound that a container cannot carry is converted when the run asks for it; else the refusal names that option."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.audio.stream import AudioStream
from support.film import Film, Sound
from support.pipeline import Pipeline
from support.torture.structure import RATE

from framebrush.contracts import BlobRef, Report, State, Status
from framebrush.media import compare, read_media_info
from framebrush.media.conversion import GAP, Conversion

MP4_PCM = Film(sounds=(Sound("pcm_s16le", rate=48000),))
WMA = Film(**RATE, codec="wmv2", options={"b": "4M"}, sounds=(Sound("wmav2", rate=44100),))
TONE = 48000 // 2
"""Samples of a part of a sound."""


def run(path: Path, output: str | None, **options: Any) -> tuple[Pipeline, Status]:
    pipeline = Pipeline(segment_frames=12)
    ref = BlobRef(container="output", name=output) if output else None
    pipeline.submit(pipeline.put(path.name, path.read_bytes()), output=ref, preset="ultrafast", **options)
    return pipeline, pipeline.run()


def heard(file: Any, rate: int, layout: str = "mono") -> npt.NDArray[np.float32]:
    """The samples of a file's sound, with silence where its first frame begins later than the video's."""
    with av.open(file) as container:
        resampler = av.AudioResampler("flt", layout, rate)
        first = container.streams.video[0].start_time * container.streams.video[0].time_base
        parts, start = [], None
        for frame in container.decode(container.streams.audio[0]):
            start = frame.pts * frame.time_base - first if start is None else start
            parts += [part.to_ndarray().ravel() for part in resampler.resample(frame)]
        parts += [part.to_ndarray().ravel() for part in resampler.resample(None)]
    sound, place = np.concatenate(parts), round((start or 0) * rate)
    return np.concatenate([np.zeros(max(0, place), np.float32), sound[max(0, -place) :]])


def lag(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> int:
    """By how many samples the second sound is later, by their envelopes' best match within 200 ms of 8 kHz."""
    size = min(len(one), len(other)) - 3200
    reference = one[1600 : 1600 + size]
    scores = [float(np.dot(reference, other[1600 + by : 1600 + by + size])) for by in range(-1600, 1601)]
    return int(np.argmax(scores)) - 1600


@pytest.mark.parametrize(
    ("film", "name", "output", "options", "codec"),
    [
        (WMA, "old.wmv", "o.mp4", {}, "aac"),
        (WMA, "old.wmv", "o.mov", {"lossless": True}, "alac"),
        (MP4_PCM, "pcm.mov", "o.mp4", {}, "aac"),
        (MP4_PCM, "pcm.mov", "o.mp4", {"lossless": True}, "flac"),
        (MP4_PCM, "pcm.mov", "o.webm", {"codec": "vp9"}, "opus"),
        (Film(**RATE, codec="mpeg4", sounds=(Sound("adpcm_ms", "mono", 22050),)), "adpcm.avi", "o.mp4", {}, "aac"),
        (Film(sounds=(Sound("pcm_s24le", "5.1", 96000),)), "six.mkv", "o.mp4", {}, "aac"),
        (Film(sounds=(Sound("pcm_s24le", "7.1"),)), "eight.mkv", "o.mp4", {"lossless": True}, "flac"),
        (Film(sounds=(Sound("pcm_s16le", "5.1", 44100),)), "six.mkv", "o.webm", {"codec": "vp9"}, "opus"),
    ],
)  # fmt: skip
def test_sound_is_converted(
    tmp_path: Path, film: Film, name: str, output: str, options: dict[str, Any], codec: str
) -> None:
    path = film.write(tmp_path / name)
    pipeline, status = run(path, output, convert_audio=True, **options)
    assert status.state is State.SUCCEEDED, status.error
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(status.run_id).report))
    assert any(f"is converted to {codec}: .{output[2:]} cannot carry it" in note for note in report.notes)
    assert all(check.ok for check in report.checks)
    assert pipeline.manifest().version == 4
    data = pipeline.output()
    with av.open(str(path)) as before, av.open(io.BytesIO(data)) as after:
        wanted, found = read_media_info(before), read_media_info(after)
    assert {check.name for check in compare(wanted, found) if not check.ok} == {"tracks"}
    assert found.tracks[0].codec == codec and found.tracks[0].channels == wanted.tracks[0].channels
    assert run(path, output, convert_audio=True, **options)[0].output() == data, "the same run gives the same bytes"


@pytest.mark.parametrize("output", ["o.mp4", "o.mov", "o.webm"])
@pytest.mark.parametrize("start", [0.0, 0.3])
def test_converted_sound_is_heard_when_it_was(tmp_path: Path, output: str, start: float) -> None:
    rng = np.random.default_rng(7)
    path = tmp_path / "noise.mkv"
    quiet = Film(sounds=(Sound("pcm_s16le", "mono", start=start),)).write(tmp_path / "tone.mkv")
    with av.open(str(quiet)) as source, av.open(str(path), "w") as target:
        copies = {stream.index: target.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        for packet in source.demux():
            if not packet.size:
                continue
            if packet.stream.type == "audio":
                noise = np.repeat(rng.integers(-8000, 8000, packet.size // 2 // 32 + 1), 32)[: packet.size // 2]
                changed: Any = av.Packet(noise.astype("<i2").tobytes())
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
                changed.duration = packet.duration
                packet = changed
                packet.stream = copies[1]
            else:
                packet.stream = copies[0]
            target.mux(packet)
    options = {"codec": "vp9"} if output == "o.webm" else {"lossless": output == "o.mov"}
    pipeline, status = run(path, output, convert_audio=True, **options)
    if output == "o.mov":  # carries PCM
        assert not pipeline.manifest().converted_streams
    assert status.state is State.SUCCEEDED, status.error
    before, after = heard(str(path), 8000), heard(io.BytesIO(pipeline.output()), 8000)
    assert abs(lag(before, after)) <= 16, "within two milliseconds"
    assert abs(len(after) - len(before)) <= 8000 // 20


def test_without_loss_every_sample_is_the_same(tmp_path: Path) -> None:
    path = Film(sounds=(Sound("pcm_s16le", "stereo"),)).write(tmp_path / "pcm.mov")
    pipeline, _ = run(path, "o.mp4", convert_audio=True, lossless=True)
    before = heard(str(path), 48000, "stereo")
    assert np.array_equal(before, heard(io.BytesIO(pipeline.output()), 48000, "stereo"))


def test_the_refusal_names_the_option(tmp_path: Path) -> None:
    path = WMA.write(tmp_path / "old.wmv")
    _, status = run(path, "o.mp4")
    assert status.error is not None and status.error.reason == "unsupported_stream"
    assert status.error.description.endswith(
        ".mp4 cannot carry the input's audio stream 1 (wmav2); it would fit into .mkv; "
        "to convert it: framebrush submit old.wmv --convert-audio"
    )


def test_what_the_container_carries_is_copied(tmp_path: Path) -> None:
    path = Film(sounds=(Sound("aac"), Sound("pcm_s16le"))).write(tmp_path / "two.mkv")
    pipeline, status = run(path, "o.mp4", convert_audio=True)
    assert status.state is State.SUCCEEDED, status.error
    assert (pipeline.manifest().copied_streams, pipeline.manifest().converted_streams) == ((1,), (2,))
    pipeline, _ = run(path, None, convert_audio=True)
    assert pipeline.manifest().output.name.endswith(".mov"), "a container that carries all as it is comes first"
    assert not pipeline.manifest().converted_streams and pipeline.manifest().version == 1


@pytest.mark.parametrize("seconds", [Fraction(2), Fraction(-1, 4)])
def test_times_that_jump_are_followed(tmp_path: Path, seconds: Fraction) -> None:
    """A gap stays a gap. What goes back has been heard, and is left out."""
    path = Film(sounds=(Sound("adpcm_ms", "mono"),)).write(tmp_path / "film.avi")
    output = io.BytesIO()
    with av.open(str(path)) as source, av.open(output, "w", format="matroska") as target:
        stream = source.streams.audio[0]
        assert isinstance(stream, AudioStream)
        conversion = Conversion(stream, "flac", target)
        for packet in source.demux(stream):
            if packet.size and packet.pts * packet.time_base >= Fraction(1, 2):
                packet.pts += seconds / packet.time_base
                packet.dts = packet.pts
            for made in conversion(packet):
                target.mux(made)
        for made in conversion.end():
            target.mux(made)
    assert conversion.heard is not None
    begin, end = conversion.heard
    assert begin == 0 and abs(end - 1 - seconds) <= GAP * 2
    output.seek(0)
    with av.open(output) as container:
        frames = list(container.decode(audio=0))
    ends = [frame.pts * frame.time_base + Fraction(frame.samples, frame.sample_rate) for frame in frames]
    steps = [b.pts * b.time_base - end for b, end in zip(frames[1:], ends, strict=False)]
    assert abs(max(steps) - max(seconds, 0)) <= Fraction(1, 8)
    assert min(steps) >= -Fraction(1, 500)


def test_a_damaged_packet_costs_its_own_time_only(tmp_path: Path) -> None:
    path = Film(sounds=(Sound("wmav2", seconds=2.0),)).write(tmp_path / "film.asf")
    spans = list[tuple[Fraction, Fraction]]()
    for damage in (False, True):
        with av.open(str(path)) as source, av.open(io.BytesIO(), "w", format="mp4") as target:
            stream = source.streams.audio[0]
            conversion = Conversion(stream, "aac", target)
            for number, packet in enumerate(source.demux(stream)):
                if damage and number == 5:
                    packet.update(bytes(packet.size))
                for made in conversion(packet):
                    target.mux(made)
            for made in conversion.end():
                target.mux(made)
        assert conversion.heard is not None
        spans.append(conversion.heard)
    assert spans[0] == spans[1]


def test_sound_of_too_many_channels_is_no_crash(tmp_path: Path) -> None:
    path = Film(sounds=(Sound("pcm_s16le", "hexadecagonal"),)).write(tmp_path / "film.mkv")
    _, status = run(path, "o.mp4", convert_audio=True)
    assert status.error is not None and status.error.reason == "unsupported_stream"
    assert "--convert-audio" not in status.error.description
