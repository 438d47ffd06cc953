"""Closed captions in packets: what is put in is what is found, whatever the bytes are."""

import random

import pytest

from framebrush.media import MOST_CAPTIONS, captions_in, with_captions

PICTURES = {
    "h264": b"\0\0\0\1\x09\x10\0\0\1\x06\x05\x02\xaa\xbb\x80\0\0\0\1\x65\x88\x80\0\0\1\x65\x88\x81",
    "hevc": b"\0\0\0\1\x46\x01\x10\0\0\0\1\x40\x01\x0c\0\0\1\x26\x01\xaf\x80",
}
"""A delimiter, other units, and slices."""


@pytest.mark.parametrize("codec", PICTURES)
@pytest.mark.parametrize("triplets", [1, 2, 31, 32, 62, 63, 8 * 31])
def test_captions_come_back(codec: str, triplets: int) -> None:
    generator, picture = random.Random(triplets), PICTURES[codec]
    captions = bytes(generator.choice((0, 0, 0, 1, 2, 3, 4, 255)) for _ in range(3 * triplets))
    written = with_captions(picture, captions, codec)
    assert captions_in(written, codec) == captions
    place = picture.index(b"\0\0\0\1\x65" if codec == "h264" else b"\0\0\1\x26")
    assert written.startswith(picture[:place]) and written.endswith(picture[place:]), "they come before the slices"
    added = written[place : len(written) - len(picture) + place]
    assert added.count(b"\0\0\1") == -(-triplets // 31), "there are no start codes but those of the messages"
    assert b"\0\0\2" not in added and b"\0\0\0" not in added.replace(b"\0\0\0\1", b"")


def test_a_picture_has_so_many_and_no_more() -> None:
    written = with_captions(PICTURES["h264"], bytes(MOST_CAPTIONS), "h264")
    assert len(captions_in(written + written, "h264")) == MOST_CAPTIONS


def test_captions_of_a_dvd() -> None:
    """The header says which field is first; its count of pairs is often wrong and is not looked at."""
    data = b"\0\0\1\xb8" + b"\0\0\1\xb2CC\1\xf8\x9e" + b"\xff\x94\x2c\xfe\x80\x80\xff\x41\x42\xfe\x80\x80" + b"\0\0\1\0"
    assert captions_in(data, "mpeg2video") == b"\xfc\x94\x2c\xfd\x80\x80\xfc\x41\x42\xfd\x80\x80"


@pytest.mark.parametrize("rest", [b"", b"\x42", b"\x42\xff\xfc", b"\x02\xff" + b"\xfc\x94\x2c" * 2])
def test_what_is_cut_off_or_not_meant_is_none(rest: bytes) -> None:
    assert captions_in(b"\0\0\1\xb2GA94\3" + rest, "mpeg2video") == b""
