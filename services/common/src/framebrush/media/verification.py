"""Compares an output with its input, in all but the look of its pixels. It needs the extra ``framebrush[video]``."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from av.stream import Disposition

from framebrush.contracts import Check, VideoProperties
from framebrush.media.colors import full_range, named, styled
from framebrush.media.inspection import MediaInfo
from framebrush.media.switches import SWITCHED
from framebrush.media.tracks import Track

BEGIN = Fraction(1, 500)
"""The seconds by which sound may begin elsewhere: containers round what decoders leave out to their ticks."""
RATE = Fraction(1, 100)
"""The part by which a stated frame rate may differ from that of the frames."""
CHAPTER_END = Fraction(1, 10)
"""The seconds by which a chapter may end elsewhere: where containers tell no ends, the film's is the last one's."""
IDENTITY = (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
"""The display matrix that changes nothing, which is the same as none."""


def compare(wanted: MediaInfo, found: MediaInfo) -> tuple[Check, ...]:
    """Return every check, passed or not, of what was found against what was wanted."""
    return (*content(wanted, found), *_labels(wanted, found))


def content(wanted: MediaInfo, found: MediaInfo) -> Iterator[Check]:
    """Yield the checks of what is seen and heard."""
    yield _same("video frames", len(wanted.times), len(found.times))
    yield _begins(wanted, found)
    yield _times("video times", wanted, wanted.times, _base(wanted), found, found.times, _base(found))
    yield _rate(wanted, found)
    a, b = wanted.video, found.video
    yield _same("video size", f"{a.width}x{a.height}", f"{b.width}x{b.height}")
    yield _same("pixel aspect", _aspect(a), _aspect(b))
    yield _same("display matrix", a.rotation or IDENTITY, b.rotation or IDENTITY)
    yield _same("colours", _colors(styled(a, b.pixel_format)), _colors(b))
    yield _same("captions", _captions(wanted), _captions(found))
    yield _same("timecode", wanted.timecode or "none", found.timecode or "none")
    if wanted.display.special or found.display.special:
        yield _same("crop, views, projection", wanted.display.words, found.display.words)
    yield _same("tracks", _kinds(wanted.tracks), _kinds(found.tracks))
    for name, one, other in _pairs(wanted, found):
        if _is_converted(one, other):
            slack = BEGIN + _length(other) + (Fraction(0) if one.heard else _length(one))
            yield _sound(f"{name} converted", wanted, one, found, other, slack, slack)
            continue
        yield _same(f"{name} packets", one.contents(), other.contents())
        yield _times(f"{name} times", wanted, one.times, one.time_base, found, other.times, other.time_base)


def _labels(wanted: MediaInfo, found: MediaInfo) -> Iterator[Check]:
    """Yield the checks of labels: metadata, chapters, languages, dispositions and attachments."""
    yield _end(wanted, found)
    for name, one, other in _pairs(wanted, found):
        yield _same(f"{name} language", one.language, other.language)
        if one.title:
            yield _same(f"{name} title", one.title, other.title)
        switched = wanted.format == found.format == SWITCHED
        words = [_disposition(track, None if switched else info) for track, info in ((one, wanted), (other, found))]
        yield _same(f"{name} disposition", *words)
        if one.rate and not _is_converted(one, other):
            # What decoders skip can only be told of sound that begins with the film: later it is heard, as silence.
            early = BEGIN + (one.skipped if one.span()[0] > min(_start(wanted), one.skipped) else 0)
            yield _sound(f"{name} heard", wanted, one, found, other, early, BEGIN + max(_length(one), _length(other)))
    yield _same("attachments", ", ".join(wanted.attachments) or "none", ", ".join(found.attachments) or "none")
    close = len(wanted.chapters) == len(found.chapters) and all(
        abs(a - b) <= Fraction(1, 1000) and abs(end - last) <= CHAPTER_END and title == other
        for (a, end, title), (b, last, other) in zip(wanted.chapters, found.chapters, strict=True)
    )
    yield Check(name="chapters", wanted=_chapters(wanted), found=_chapters(found), ok=close)
    yield _same("metadata", wanted.metadata, {name: found.metadata.get(name) for name in wanted.metadata})


def _pairs(wanted: MediaInfo, found: MediaInfo) -> Iterator[tuple[str, Track, Track]]:
    for number, (one, other) in enumerate(zip(wanted.tracks, found.tracks, strict=False)):
        yield f"{one.kind} {number}", one, other


def _is_converted(one: Track, other: Track) -> bool:
    """Return whether the output has sound in another coding, so that nothing but its place can be compared."""
    if one.converted or len(one.configurations) > 1:
        return True
    return one.codec != other.codec and one.kind == other.kind == "audio"


def _length(track: Track) -> Fraction:
    return track.length * track.time_base


def _sound(
    name: str, wanted: MediaInfo, one: Track, found: MediaInfo, other: Track, early: Fraction, late: Fraction
) -> Check:
    """Compare the channels of sound, and when it is heard, counted from the first video frame.

    Args:
        name: The name of the check.
        wanted: The input.
        one: The sound of the input.
        found: The output.
        other: The sound of the output.
        early: The seconds by which its beginning may differ.
        late: The seconds by which its end may differ.
    """
    spans = [[time - _start(info) for time in track.span()] for info, track in ((wanted, one), (found, other))]
    words = [
        f"{track.channels} channels from {float(begin):.3f} s to {float(end):.3f} s"
        for track, (begin, end) in zip((one, other), spans, strict=True)
    ]
    (begin, end), (start, stop) = spans
    close = abs(start - begin) <= early and abs(stop - end) <= late
    return Check(name=name, wanted=words[0], found=words[1], ok=close and one.channels == other.channels)


def _disposition(track: Track, info: MediaInfo | None) -> str:
    """Return a track's disposition in words.

    If no track of a kind is the default one in a file, the first is, as for players. In MP4 it is switched off, which
    can only be compared with MP4: then no file is given.
    """
    alike = [other for other in info.tracks if other.kind == track.kind] if info is not None else [None]
    first = alike[0] is track and not any(other.disposition & Disposition.default for other in alike)
    value = track.disposition | (Disposition.default if first else Disposition(0))
    return ", ".join(str(flag.name) for flag in Disposition if flag & value) or "none"


def _same(name: str, wanted: object, found: object) -> Check:
    return Check(name=name, wanted=str(wanted), found=str(found), ok=wanted == found)


def _start(info: MediaInfo) -> Fraction:
    return info.times[0] * _base(info)


def _base(info: MediaInfo) -> Fraction:
    return Fraction(*info.video.time_base)


def _times(
    name: str,
    wanted: MediaInfo, wanted_times: Sequence[int], wanted_base: Fraction,
    found: MediaInfo, found_times: Sequence[int], found_base: Fraction,
) -> Check:  # fmt: skip
    """Compare times, and return the check of their largest drift, in ticks of the coarser time base.

    Times count from the first video frame, since Matroska has no negative times and shifts all streams alike. A drift
    of one tick is allowed where the output's ticks are not a part of the input's, which rounds both ends, and of one
    tick of the finer time base, to which the result is rounded. It is also allowed for sound whose packets were timed
    more coarsely than samples, since a container that counts samples corrects that.
    """
    tick = max(wanted_base, found_base)
    exact = (wanted_base / found_base).denominator == 1 and (wanted_base == found_base or wanted_times is wanted.times)
    allowed = 0 if exact else 1 + min(wanted_base, found_base) / tick
    shift = _start(found) - _start(wanted)
    # Whole numbers of a common unit: fractions would take most of the time of joining a long film.
    unit = Fraction(1, math.lcm(wanted_base.denominator, found_base.denominator, shift.denominator))
    a, b, moved = (int(each / unit) for each in (wanted_base, found_base, shift))
    drift = max(
        (abs(other * b - time * a - moved) for time, other in zip(wanted_times, found_times, strict=False)), default=0
    )
    ticks = drift * unit / tick
    return Check(
        name=name,
        wanted=f"within {float(allowed):.3g} ticks of {tick} s",
        found=f"{float(ticks):.3g} ticks at most",
        ok=ticks <= allowed,
    )


def _rate(wanted: MediaInfo, found: MediaInfo) -> Check:
    """Compare the frame rate that the output states, by which editors place its frames, with that of its frames.

    Only a constant rate can be stated, so that any is right for a film of another kind. MP4 states the number of frames
    in its whole duration, in which the last frame may last longer or shorter than the others.
    """
    stated, mean, whole = _stated(found), None, None
    if len(found.times) > 1:
        span = found.times[-1] - found.times[0]
        mean = (len(found.times) - 1) / (span * _base(found))
        whole = len(found.times) / ((span + (found.length or 0)) * _base(found))
    steps = [after - time for time, after in pairwise(found.times)]
    constant = bool(steps) and max(steps) - min(steps) <= max(2, *(step // 100 for step in steps[:1]))
    close = stated is None or any(rate is None or abs(stated / rate - 1) <= RATE for rate in (mean, whole))
    return Check(
        name="frame rate",
        wanted=f"{float(mean or _stated(wanted) or 0):.6g}",
        found=f"{float(stated or mean or 0):.6g}",
        ok=close or not constant or stated == _stated(wanted),
    )


def _stated(info: MediaInfo) -> Fraction | None:
    return Fraction(*info.video.frame_rate) if info.video.frame_rate else None


def _end(wanted: MediaInfo, found: MediaInfo) -> Check:
    """Compare when the last frame ends, if both containers tell."""
    ends = [(info.times[-1] + (info.length or 0)) * _base(info) - _start(info) for info in (wanted, found)]
    told = wanted.length is not None and found.length is not None
    return Check(
        name="video duration",
        wanted=f"{float(ends[0]):.6g} s",
        found=f"{float(ends[1]):.6g} s",
        ok=not told or abs(ends[1] - ends[0]) <= 2 * max(_base(wanted), _base(found)),
    )


def _begins(wanted: MediaInfo, found: MediaInfo) -> Check:
    """Compare when the video begins. What has no times below zero begins later by what the first stream is below."""
    first, tick = _start(wanted), max(_base(wanted), _base(found))
    earliest = min((track.times[0] * track.time_base for track in wanted.tracks if track.times), default=first)
    allowed = (first, first - min(first, earliest, Fraction(0)))
    return Check(
        name="video start",
        wanted=f"{float(first):.6g} s",
        found=f"{float(_start(found)):.6g} s",
        ok=any(abs(_start(found) - time) <= tick for time in allowed),
    )


def _aspect(video: VideoProperties) -> str:
    return "{}:{}".format(*(video.sample_aspect_ratio or (1, 1)))


def _colors(video: VideoProperties) -> str:
    """Return the matrix, the transfer, the primaries (code points of H.273) and the range."""
    span = "full" if full_range(video) == 2 else "limited"
    return f"{named(video).color_space}/{video.color_trc}/{video.color_primaries} {span}"


def _captions(info: MediaInfo) -> str:
    """Return how many frames have closed captions, and a hash of what each frame has, for people."""
    frames = sum(map(bool, info.captions))
    return f"of {frames} frames ({hashlib.sha256(info.captions).hexdigest()[:16]})" if frames else "none"


def _kinds(tracks: Sequence[Track]) -> str:
    several = " of several kinds"
    names = (track.converted or track.codec + several * (len(track.configurations) > 1) for track in tracks)
    return ", ".join(f"{track.kind} {name}" for track, name in zip(tracks, names, strict=True)) or "none"


def _chapters(info: MediaInfo) -> str:
    return ", ".join(f"{float(start):.3f}-{float(end):.3f} {title}" for start, end, title in info.chapters) or "none"
