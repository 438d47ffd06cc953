"""Encrypted streams: whoever has the key can decrypt them, and a decoder would make noise of them."""

from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from framebrush.errors import InvalidVideo
from framebrush.media import codec_tag, quoted

PROTECTED = {"drmi": "FairPlay", "drms": "FairPlay", "drmt": "FairPlay"}
"""The sample entries of Apple's protection in MP4 and QuickTime."""
SAMPLE_AES = ("\xdb", "\xcf", "\xc1", "\xc2")
"""The stream types of encrypted H.264, AAC, AC-3 and E-AC-3 in MPEG transport streams (Apple's SAMPLE-AES)."""


def refuse_encrypted(container: InputContainer) -> None:
    """Refuse a file with an encrypted stream that is known by its header.

    Raises:
        InvalidVideo: The video, a sound or a subtitle is encrypted; the text says how to decrypt it.
    """
    name = quoted(container.name)
    for stream in container.streams:
        if stream.codec_context is None:
            continue
        tag = codec_tag(stream)
        if tag in PROTECTED:
            raise _refusal(stream, PROTECTED[tag], f"play it where it was bought; to see what it is: ffprobe {name}")
        if tag.rstrip("\0") in SAMPLE_AES and container.format.name == "mpegts":
            raise _refusal(stream, "SAMPLE-AES", "its playlist names the key: ffmpeg -i playlist.m3u8 -c copy film.mp4")
        if "enc_key_id" in stream.metadata:
            raise _refusal(stream, "Matroska's ContentEncryption", f"decrypt it first: {_decrypting(name)}")


def refuse_encrypted_packet(packet: "Packet[Any]", name: str) -> None:
    """Refuse a packet that is encrypted.

    Args:
        packet: Any packet of a file.
        name: The name of the file.

    Raises:
        InvalidVideo: The packet is encrypted; the text says how to decrypt the file.
    """
    if packet.has_sidedata("encryption_info"):
        how = f"decrypt it first: {_decrypting(quoted(name))}"
        raise _refusal(packet.stream, "Common Encryption", how)


def _decrypting(name: str) -> str:
    return f"ffmpeg -decryption_key KEY -i {name} -c copy film.mp4"


def _refusal(stream: Stream, scheme: str, how: str) -> InvalidVideo:
    return InvalidVideo(
        f"{stream.type} stream {stream.index} is encrypted ({scheme}), and nobody here has its key: {how}"
    )
