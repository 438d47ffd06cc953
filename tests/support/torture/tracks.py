"""Cases that put sound, subtitles, chapters and metadata to the test."""

import re
from fractions import Fraction
from pathlib import Path

from av.stream import Disposition

from support.film import Film, Sound, Text
from support.torture.case import Case
from support.torture.structure import MS

ASS = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize\r\n"
    b"Style: Default,Arial,20\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, "
    b"Effect, Text\r\n"
)
LINES = (b"hello", b"world")
MOV_TEXT = tuple(len(line).to_bytes(2, "big") + line for line in LINES)
ASS_LINES = (b"0,0,Default,,0,0,0,,{\\b1}hello", b"1,0,Default,,0,0,0,,world")
BITMAP = (b"\x80\x00\x00", b"\x80\x00\x00")
"""PGS packets that only end a display set."""
CHAPTERS = ((0.0, 0.4, "One"), (0.4, 0.96, "Two"))
LANGUAGES = tuple(Sound(language=language) for language in ("eng", "deu", "fra"))
NAMED = tuple(Sound(title=title) for title in ("Desktop", "Microphone"))
PHONE = {
    "com.apple.quicktime.location.ISO6709": "+47.3769+008.5417+408.000/",
    "com.apple.quicktime.creationdate": "2026-05-01T12:34:56+0200",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.model": "iPhone",
    "com.apple.quicktime.full-frame-rate-playback-intent": "1",
    "creation_time": "2026-05-01T10:34:56.000000Z",
}
KEYS = {"movflags": "use_metadata_tags"}
TITLES = {"title": "Harbour", "artist": "Somebody", "comment": "a film", "date": "2026"}
MULTI = Text("mov_text", MOV_TEXT, "deu", Disposition.forced)


def switched_off(path: Path) -> Path:
    """Sound and text that a person is to choose first: the tracks are switched off."""
    film = Film(sounds=(Sound(), Sound(language="deu")), texts=(Text("mov_text", MOV_TEXT, "eng"),))
    data = bytearray(film.write(path).read_bytes())
    for track in list(re.finditer(b"tkhd", data))[1:]:
        data[track.end() + 3] &= ~1
    path.write_bytes(data)
    return path


FINE = Text("mov_text", MOV_TEXT, "eng", time_base=Fraction(1, 1_000_000))
"""As the program ffmpeg writes it."""

TRACKS = (
    Case("no sound", "silent.mp4", Film(sounds=())),
    Case("three languages", "languages.mp4", Film(sounds=LANGUAGES)),
    Case("three languages, Matroska", "languages.mkv", Film(**MS, sounds=LANGUAGES)),
    Case("names of tracks, MP4", "named.mp4", Film(sounds=NAMED)),
    Case("names of tracks, Matroska", "named.mkv", Film(**MS, sounds=NAMED)),
    Case("PCM in QuickTime", "pcm.mov", Film(sounds=(Sound("pcm_s16le"),))),
    Case("PCM in Matroska", "pcm.mkv", Film(**MS, sounds=(Sound("pcm_s16le"),))),
    Case("MP3", "mp3.mkv", Film(**MS, sounds=(Sound("libmp3lame"),))),
    Case("Opus", "opus.mkv", Film(**MS, sounds=(Sound("libopus"),))),
    Case("FLAC", "flac.mkv", Film(**MS, sounds=(Sound("flac"),))),
    Case("7.1 channels", "surround.mp4", Film(sounds=(Sound("aac", "7.1"),))),
    Case("WavPack", "wavpack.mkv", Film(**MS, sounds=(Sound("wavpack"),))),
    Case("text (mov_text)", "text.mp4", Film(texts=(Text("mov_text", MOV_TEXT, "eng"),))),
    Case(
        "text that counts microseconds, and sound of two rates, MP4",
        "fine.mp4",
        Film(texts=(FINE,), sounds=(Sound(seconds=3.0), Sound(rate=44100, seconds=3.0))),
    ),
    Case("sound and text that are switched off, MP4", "off.mp4", switched_off),
    Case("SubRip", "srt.mkv", Film(**MS, texts=(Text("subrip", LINES, "eng"),))),
    Case("ASS", "ass.mkv", Film(**MS, texts=(Text("ass", ASS_LINES, "eng", header=ASS),))),
    Case(
        "ASS with a font",
        "font.mkv",
        Film(**MS, texts=(Text("ass", ASS_LINES, "eng", header=ASS),), fonts=("Harbour.ttf",)),
    ),
    Case("bitmap subtitles (PGS)", "pgs.mkv", Film(**MS, texts=(Text("hdmv_pgs_subtitle", BITMAP, "eng"),))),
    Case("chapters and metadata, MP4", "chapters.mp4", Film(chapters=CHAPTERS, metadata=TITLES)),
    Case("chapters and metadata, Matroska", "chapters.mkv", Film(**MS, chapters=CHAPTERS, metadata=TITLES)),
    Case("place, time and camera of a phone, QuickTime", "phone.mov", Film(metadata=PHONE, muxer=KEYS)),
    Case("place, time and camera of a phone, Matroska", "phone.mkv", Film(**MS, metadata=PHONE)),
    Case(
        "place and version of an Android phone, MP4",
        "android.mp4",
        Film(metadata={"com.android.version": "14", "location": "+47.3769+008.5417/", "title": "Harbour"}, muxer=KEYS),
    ),
    Case(
        "tags for which MP4 has no place",
        "tags.mkv",
        Film(**MS, metadata={"title": "Harbour", "PURL": "somewhere", "DIRECTOR": "Somebody"}),
        notes=("tags that .mp4 has no place for are left out: director, purl",),
        lost="the tags that it has no place for",
    ),
    Case("dispositions", "forced.mp4", Film(sounds=(Sound(), Sound(disposition=Disposition.comment)), texts=(MULTI,))),
    Case(
        "everything at once",
        "all.mkv",
        Film(
            **MS,
            sounds=(
                Sound(language="eng", disposition=Disposition.default),
                Sound("libopus", "5.1", language="deu"),
                Sound("flac"),
            ),
            texts=(
                Text("ass", ASS_LINES, "eng", header=ASS),
                Text("subrip", LINES, "deu", Disposition.forced),
                Text("hdmv_pgs_subtitle", BITMAP),
            ),
            chapters=CHAPTERS,
            metadata=TITLES,
        ),
    ),
)
