"""H.264 whose pictures are pairs of fields with a packet each (PAFF), which no free encoder writes."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from support.torture.captions import a53
from support.torture.captions import unit as message
from support.video import picture

WIDTH, HEIGHT, FRAMES = 64, 64, 24
X264 = {
    "crf": "4",
    "preset": "ultrafast",
    "x264-params": "keyint=1:cabac=0:bframes=0:slices=1:annexb=1:repeat-headers=1",
}


def paff(path: Path, *, captioned: bool = False) -> Path:
    """A transport stream as AVCHD cameras write it. Each field was encoded as a picture of half the height."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, data in enumerate(_fields()):
            texts = [message(b"\xb5\0\x31" + content) for content in a53(number) if captioned]
            packet: Any = av.Packet(_as_field(data, texts, bottom=number % 2 == 1))
            packet.stream, packet.time_base = stream, Fraction(1, 50)
            packet.pts = packet.dts = number
            packet.is_keyframe = number % 2 == 0
            container.mux(packet)
    return path


def _fields() -> Iterator[bytes]:
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT // 2, "yuv420p"
    codec.time_base, codec.framerate, codec.options = Fraction(1, 50), Fraction(50), X264
    for index in range(FRAMES):
        whole = picture(index, WIDTH, HEIGHT)
        for parity in (0, 1):
            frame = av.VideoFrame.from_ndarray(whole[parity::2].copy(), format="rgb24")
            frame.pts, frame.time_base = index * 2 + parity, Fraction(1, 50)
            yield from map(bytes, codec.encode(frame))
    yield from map(bytes, codec.encode(None))


def _as_field(data: bytes, messages: Iterable[bytes], *, bottom: bool) -> bytes:
    """A coded picture as a field: the sequence has fields, and the slice says which one it is."""
    units = [unit for unit in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
    result = b"".join(b"\0\0\0\1" + each for each in (b"\x09\x10", *messages))
    for unit in units:
        kind = unit[0] & 31
        if kind == 7:
            unit = _rewritten(unit[:1], _sequence(_bits(unit)))
        elif kind == 5:
            unit = _rewritten(b"\x61" if bottom else unit[:1], _slice(_bits(unit), bottom=bottom))
        elif kind == 6 or (bottom and kind == 8):
            continue
        if not (bottom and kind == 7):
            result += b"\0\0\0\1" + unit
    return result


def _sequence(bits: str) -> str:
    """frame_mbs_only_flag becomes 0, mb_adaptive_frame_field_flag comes after it; Main is a profile with fields."""
    at = 24
    for _ in range(2):  # seq_parameter_set_id, log2_max_frame_num_minus4
        at = _exp(bits, at)[1]
    order, at = _exp(bits, at)
    assert order == 2, "no B-frames"
    at = _exp(bits, at)[1] + 1  # max_num_ref_frames, gaps_in_frame_num_value_allowed_flag
    for _ in range(2):  # the width and the height
        at = _exp(bits, at)[1]
    assert bits[at] == "1"
    return f"{77:08b}" + "00000000" + bits[16:at] + "00" + "1" + bits[at + 2 :]


def _slice(bits: str, *, bottom: bool) -> str:
    """field_pic_flag and bottom_field_flag come after frame_num; a second field is never an IDR picture."""
    at = 0
    for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
        at = _exp(bits, at)[1]
    at += 4  # frame_num
    rest = bits[at:]
    if bottom:
        after = _exp(bits, at)[1]  # idr_pic_id
        rest = "0" + bits[after + 2 :]  # the marking of references has one flag instead of two
    return bits[:at] + "1" + str(int(bottom)) + rest


def _bits(unit: bytes) -> str:
    """The bits of a unit without its header, and without the stop bit."""
    data = unit[1:].replace(b"\0\0\3", b"\0\0")
    return "".join(f"{byte:08b}" for byte in data).rstrip("0")[:-1]


def _rewritten(header: bytes, bits: str) -> bytes:
    """A unit of these bits."""
    bits += "1"
    bits += "0" * (-len(bits) % 8)
    data, zeros = bytearray(), 0
    for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
        if zeros >= 2 and byte <= 3:
            data.append(3)
            zeros = 0
        zeros = zeros + 1 if byte == 0 else 0
        data.append(byte)
    return header + bytes(data)


def _exp(bits: str, at: int) -> tuple[int, int]:
    """A number in Exp-Golomb code, and the place after it."""
    zeros = bits.index("1", at) - at
    end = at + 2 * zeros + 1
    return int(bits[at + zeros : end], 2) - 1, end
