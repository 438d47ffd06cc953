"""Tells pictures from other files by how they begin, without any library."""

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
"""How files in the formats JPEG, PNG and WebP begin."""


def looks_like_a_picture(head: bytes) -> bool:
    """Return whether a file begins like JPEG, PNG or WebP; 12 bytes of it are enough."""
    return head.startswith(SIGNATURES) and (not head.startswith(b"RIFF") or head[8:12] == b"WEBP")
