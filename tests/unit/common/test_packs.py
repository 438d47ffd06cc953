import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush.contracts import FrameFailure
from framebrush.media import PackWriter, read_pack

frames = st.dictionaries(st.integers(0, 999_999), st.binary(max_size=3000), min_size=1, max_size=20)


def pack_of(frames: dict[int, bytes]) -> tuple[bytes, list[int]]:
    writer = PackWriter()
    for index in sorted(frames):
        writer.add_frame(index, frames[index])
    return writer.finish(), writer.offsets


@given(frames)
def test_frames_come_back(frames: dict[int, bytes]) -> None:
    assert read_pack(pack_of(frames)[0]) == (frames, [])


@given(frames)
def test_the_same_frames_give_the_same_bytes(frames: dict[int, bytes]) -> None:
    assert pack_of(frames) == pack_of(dict(reversed(frames.items())))


@given(frames, st.data())
def test_offsets_cut_out_exactly_the_frames_between_them(frames: dict[int, bytes], data: st.DataObject) -> None:
    pack, offsets = pack_of(frames)
    first = data.draw(st.integers(0, len(frames) - 1))
    stop = data.draw(st.integers(first + 1, len(frames)))
    wanted = sorted(frames)[first:stop]
    assert read_pack(pack[offsets[first] : offsets[stop]]) == ({index: frames[index] for index in wanted}, [])


@given(frames, st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_failures_come_back_beside_the_frames(frames: dict[int, bytes], error: str) -> None:
    writer = PackWriter()
    failures = [FrameFailure(frame=index, error=error) for index in sorted(frames)]
    for failure in failures:
        writer.add_frame(failure.frame, frames[failure.frame])
        writer.add_failure(failure)
    assert read_pack(writer.finish()) == (frames, failures)


def test_a_pack_is_a_tar_file_that_any_tool_reads() -> None:
    pack, _ = pack_of({0: b"first", 1: b"second"})
    with tarfile.open(fileobj=io.BytesIO(pack)) as tar:
        assert tar.getnames() == ["00000000.jpg", "00000001.jpg"]
        assert {member.mtime for member in tar} == {0}


def test_a_pack_of_png_says_so() -> None:
    writer = PackWriter("png")
    writer.add_frame(7, b"frame")
    pack = writer.finish()
    with tarfile.open(fileobj=io.BytesIO(pack)) as tar:
        assert tar.getnames() == ["00000007.png"]
    assert read_pack(pack) == ({7: b"frame"}, [])


@pytest.mark.parametrize("data", [b"", b"no tar file", b"\xff" * 4096])
def test_what_is_no_pack_is_refused(data: bytes) -> None:
    with pytest.raises(tarfile.TarError):
        read_pack(data)


def test_a_pack_cut_short_is_refused() -> None:
    pack, offsets = pack_of({0: b"a" * 2000, 1: b"b" * 2000})
    with pytest.raises(tarfile.TarError):
        read_pack(pack[: offsets[1] + 1024])
