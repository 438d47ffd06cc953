"""Requests, as the proxy before storage reads them."""

import asyncio

import pytest
from support.http1 import read_request

GET = b"GET /work/blob HTTP/1.1\r\nHost: here\r\n\r\n"
PUT = b"PUT /work/blob HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"PUT /work/blob HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


async def read_all(data: bytes) -> list[bytes]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    requests = list[bytes]()
    while request := await read_request(reader):
        requests.append(request)
    return requests


def test_requests_on_one_connection_are_told_apart() -> None:
    assert asyncio.run(read_all(PUT + GET + CHUNKED + PUT)) == [PUT, GET, CHUNKED, PUT]


@pytest.mark.parametrize("request_", [GET, PUT, CHUNKED])
def test_a_request_that_is_cut_is_not_passed_on(request_: bytes) -> None:
    assert asyncio.run(read_all(GET + request_[:-1])) == [GET]
