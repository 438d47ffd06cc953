import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush.contracts import BlobRef
from framebrush.errors import BlobNotFound, InputChanged
from framebrush.storage import BlobReader, MemoryStore

REF = BlobRef(container="input", name="a.bin")


def reader_of(content: bytes, chunk: int = 7, keep: int = 2) -> tuple[MemoryStore, BlobReader]:
    store = MemoryStore()
    etag = store.write(REF, content)
    return store, BlobReader(store, REF, len(content), etag, chunk=chunk, keep=keep)


steps = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 30)),
    st.tuples(st.just("seek"), st.integers(0, 80)),
    st.tuples(st.just("skip"), st.integers(-30, 30)),
    st.tuples(st.just("from end"), st.integers(-40, 10)),
)


@given(st.binary(max_size=60), st.integers(1, 20), st.integers(1, 4), st.lists(steps, max_size=30))
def test_reads_and_seeks_as_a_file_does(content: bytes, chunk: int, keep: int, steps: list[tuple[str, int]]) -> None:
    _, reader = reader_of(content, chunk, keep)
    buffered, model = io.BufferedReader(reader), io.BytesIO(content)
    for step, number in steps:
        match step:
            case "read":
                assert buffered.read(number) == model.read(number)
            case "seek":
                assert buffered.seek(number) == model.seek(number)
            case "skip" if model.tell() + number >= 0:
                assert buffered.seek(number, io.SEEK_CUR) == model.seek(number, io.SEEK_CUR)
            case "from end" if len(content) + number >= 0:
                assert buffered.seek(number, io.SEEK_END) == model.seek(number, io.SEEK_END)
        assert buffered.tell() == model.tell()


@given(st.binary(max_size=60), st.integers(0, 70), st.integers(1, 70))
def test_a_raw_read_gives_the_next_bytes_and_some_if_there_are_any(content: bytes, start: int, size: int) -> None:
    _, reader = reader_of(content)
    reader.seek(start)
    data = reader.read(size)
    assert content[start : start + size].startswith(data)
    assert bool(data) == (start < len(content))
    assert reader.tell() == start + len(data)


@given(st.binary(max_size=60))
def test_read_without_a_size_gives_everything(content: bytes) -> None:
    assert reader_of(content)[1].read() == content


def test_a_few_chunks_are_kept_and_no_more() -> None:
    class Counting(MemoryStore):
        reads = 0

        def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
            self.reads += 1
            assert length is not None
            assert length <= 10
            return super().read(ref, start, length, etag=etag)

    store = Counting()
    reader = BlobReader(store, REF, 100, store.write(REF, bytes(100)), chunk=10, keep=2)
    for position, reads in [(0, 1), (3, 1), (95, 2), (5, 2), (50, 3), (99, 4), (55, 4), (0, 5)]:
        reader.seek(position)
        reader.read(1)
        assert store.reads == reads


def test_an_overwritten_blob_is_noticed() -> None:
    store, reader = reader_of(b"as it was planned")
    reader.read(3)
    store.write(REF, b"something else ..")
    assert reader.read(4) == b"it w"  # of the chunk that is here already
    with pytest.raises(InputChanged, match=r"input/a\.bin was overwritten"):
        reader.read(20)


def test_a_deleted_blob_is_noticed() -> None:
    store, reader = reader_of(b"content")
    store.delete([REF])
    with pytest.raises(BlobNotFound):
        reader.read(1)


def test_it_reads_and_seeks_but_does_not_write() -> None:
    _, reader = reader_of(b"content")
    assert reader.readable()
    assert reader.seekable()
    assert not reader.writable()
    assert reader.name == "input/a.bin"
