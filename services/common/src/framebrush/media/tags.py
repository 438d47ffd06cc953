"""What a film tells of itself as a whole: its title, when and where it was taken, and with which camera."""

import re
from collections.abc import Mapping

QUICKTIME = (
    "title", "artist", "album", "date", "comment", "genre", "copyright", "location", "creation_time", "make", "model",
)  # fmt: skip
ITUNES = (
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping",
    "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "media_type", "hd_video",
    "gapless_playback", "compilation", "episode_sort", "season_number", "track", "disc", "location",
    "creation_time",
)  # fmt: skip
NAMED = {"mp4": ITUNES, "mov": QUICKTIME}
"""The tags for which FFmpeg's muxers have a place that all players know. Matroska carries tags of any name."""
CHAPTERED = ("mp4", "mov")
"""The formats whose chapters are a track of text, of which FFmpeg's muxer lets the first one begin at zero."""
BRANDS = ("major_brand", "minor_version", "compatible_brands")
"""What FFmpeg calls tags of MP4, although it tells the file's kind and not the film."""
WRITTEN = ("encoder", "timecode", *BRANDS)
"""What muxers write anew."""
TITLES = (
    "title",
    "artist",
    "album",
    "comment",
    "copyright",
    "date",
    "description",
    "genre",
    "location",
    "make",
    "model",
)
"""The tags that are compared, beside those that cameras name after their makers and the time of creation."""
CREATED = "creation_time"
UNSET = "1970-01-01T00:00:00"
"""The time of creation of programs that do not know it: the zero of their clock. Muxers leave it out."""
PROGRAM = re.compile(
    r"(?:.*_)?(?:uid|umid|ul)|product_\w+|company_name|toolkit_\w+|application_platform|wm/.*|wmfsdk\w+|isvbr|devicecon\w+"
    r"|metadatacreator|encoded_by|software|encodingsettings?|has(?:video|audio|metadata|keyframes)"
)
"""The names of tags that tell of the program that wrote a file, in MXF, ASF and FLV: no note is about them."""
SECONDS = 19
"""The characters of a time without fractions of seconds, for which MP4 has no room."""


def tags_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that tell something of a film."""
    return {name: text for name, text in metadata.items() if name.lower() not in BRANDS}


def needs_keys(metadata: Mapping[str, str], format_name: str) -> bool:
    """Return whether MP4 or QuickTime must name tags by keys, as phones do (QuickTime File Format, "Metadata").

    Otherwise the camera, the exact place and the local time would be lost. All other tags get keys, too, and some
    players know titles in their customary place only: so it is not done for the sake of other tags.
    """
    return any(name.startswith("com.") or name in ("make", "model") for name in _unnamed(metadata, format_name))


def lost_tags(metadata: Mapping[str, str], format_name: str) -> list[str]:
    """Return the names, in lower case, of the tags that a format does not carry, and that people may miss."""
    names = [] if needs_keys(metadata, format_name) else _unnamed(metadata, format_name)
    return [name for name in names if not PROGRAM.fullmatch(name)]


def lost_track_tags(metadata: Mapping[str, str], format_name: str) -> list[str]:
    """Return the names, in lower case, of a track's tags that only Matroska has a place for, and that people may miss.

    Some programs (GStreamer, and all that write Ogg) store there what others store of the film as a whole. The title is
    not among them: MP4 and QuickTime keep it as the name of the track.
    """
    names = (name.lower() for name in metadata) if format_name in NAMED else ()
    return sorted(name for name in names if name in TITLES and name != "title")


def compared_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that must survive, by their names in lower case, with the time of creation in whole seconds."""
    tags = {name.lower(): text for name, text in metadata.items()}
    kept = {name: text for name, text in tags.items() if name in TITLES or name.startswith("com.")}
    created = tags.get(CREATED, UNSET)[:SECONDS]
    return kept if created == UNSET else kept | {CREATED: created}


def _unnamed(metadata: Mapping[str, str], format_name: str) -> list[str]:
    """Return the names for which a format has no place but keys. A name may end in a language, as in title-eng."""
    places = NAMED.get(format_name)
    names = (name.lower() for name in metadata)
    return sorted(n for n in names if places and re.sub(r"-[a-z]{3}$", "", n) not in places and n not in WRITTEN)
