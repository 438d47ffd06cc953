"""HTTP/1.1 requests on a stream of bytes."""

import asyncio


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Read one request whole, head and body; empty when the stream ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = (line.partition(b":") for line in head.lower().split(b"\r\n")[1:])
        fields = {name.strip(): value.strip() for name, _, value in lines}
        if fields.get(b"transfer-encoding") == b"chunked":
            return head + await _read_chunks(reader)
        return head + await reader.readexactly(int(fields.get(b"content-length", 0)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        chunks += line + await reader.readexactly(size + 2)
        if size == 0:
            return bytes(chunks)


def respond(status: str, *, retry_after: int | None = None) -> bytes:
    """Write a response without a body, as a storage account under load sends it; ``retry_after`` is in seconds."""
    wait = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
    return f"HTTP/1.1 {status}\r\n{wait}Content-Length: 0\r\n\r\n".encode()
