"""How a run's output is encoded: what may be asked for, and what of it is possible."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from framebrush.contracts.codecs import CONTAINERS, ENCODERS, SMALL, Encoder, Preset
from framebrush.contracts.document import Model

Codec = Literal["h264", "h265", "av1", "vp9", "prores", "ffv1"]
Backend = Literal["software", "nvenc"]
Colors = Literal["auto", "yuv420p", "yuv422p", "yuv444p", "rgb"]
VALUES = {
    "codec": get_args(Codec),
    "encoder": get_args(Backend),
    "pixel_format": get_args(Colors),
    "bits": (8, 10),
    "lossless": (False, True),
}
"""The fields that must fit together, and what each may be."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An encoder and one of its pixel formats."""

    encoder: Encoder
    colors: str
    bits: int

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the pixel format."""
        return self.encoder.formats[self.colors, self.bits]


class Encoding(Model):
    """How the output is encoded. What never works, whatever the input, is refused with what would."""

    codec: Codec = "h264"
    encoder: Backend = "software"
    """``nvenc``: by an NVIDIA GPU, where the installation has one for the stitcher."""
    pixel_format: Colors = "auto"
    """``auto`` is yuv420p, which every player shows, or yuv444p where an odd size forbids it; ProRes' is yuv422p; rgb
    for what is lossless."""
    bits: Literal[8, 10] | None = None
    """Per channel; as few as the codec has when absent. Frames have eight on their way here: ten keep what conversion
    to YUV would round off."""
    crf: Annotated[int, Field(ge=0, le=63)] | None = None
    """Constant rate factor: lower is better and larger. The codec's own when absent: 20 for H.264."""
    bitrate: Annotated[int, Field(ge=1_000, le=2_000_000_000)] | None = None
    """Bits per second on average, instead of a constant rate factor."""
    lossless: bool = False
    """The frames as they are: with lossless packs too, the output's RGB is the model's, bit by bit."""
    preset: Preset = "medium"
    """Slower is smaller; every codec's own scale is mapped to this one."""
    fast_start: bool = True
    """MP4 and QuickTime: the index at the beginning, so that players can start before all is loaded."""

    def choices(self) -> list[Choice]:
        """What fits the request, the best first; nothing if it never works."""
        found = [
            Choice(encoder, colors, bits)
            for encoder in ENCODERS
            if (encoder.codec, encoder.backend) == (self.codec, self.encoder)
            if not self.lossless or encoder.lossless is not None
            for colors, bits in encoder.formats
            if self.pixel_format in ("auto", colors) and self.bits in (None, bits)
        ]
        return sorted(found, key=lambda choice: self.lossless and choice.colors != "rgb")

    def choose(self, width: int, height: int) -> Choice | None:
        """What to take for a video of this size, in pixels; None if nothing of the codec can."""
        return next((each for each in self.choices() if each.encoder.accepts(each.colors, width, height)), None)

    def options(self, encoder: Encoder, pixels: int) -> dict[str, str]:
        """What FFmpeg's encoder is told for pictures of so many pixels."""
        if self.lossless:
            rate = dict(encoder.lossless or {})
        elif self.bitrate is not None:
            rate = {"b": str(self.bitrate)}
        else:
            crf = encoder.crf if self.crf is None else self.crf
            rate = {} if crf is None else {encoder.quality: str(crf)}
        small = encoder.small if pixels < SMALL else {}
        return {**encoder.fixed, **encoder.presets.get(self.preset, {}), **small, **rate}

    def unsuited(self, suffix: str) -> str | None:
        """Why a container cannot carry the codec, and what would do; None if it can."""
        if suffix in CONTAINERS[self.codec]:
            return None
        codecs = ", ".join(codec for codec, suffixes in CONTAINERS.items() if suffix in suffixes)
        return f"{suffix} cannot carry {self.codec}: take {', '.join(CONTAINERS[self.codec])}, or the codec {codecs}"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        choices = self.choices()
        if not choices:
            raise ValueError(f"no encoder for {self._words()}; possible are {', or '.join(self._alternatives())}")
        rates = [name for name in ("crf", "bitrate") if getattr(self, name) is not None] + ["lossless"] * self.lossless
        if len(rates) > 1:
            raise ValueError(f"{' and '.join(rates)} exclude each other")
        encoder = choices[0].encoder
        if encoder.crf is None and rates and not self.lossless:
            able = sorted({each.codec for each in ENCODERS if each.crf is not None})
            raise ValueError(f"{self.codec} has no {rates[0]}; {', '.join(able)} have")
        if self.crf is not None and self.crf > encoder.max_crf:
            raise ValueError(f"crf: at most {encoder.max_crf} for {self.codec}, got {self.crf}")
        return self

    def _words(self) -> str:
        bits = f"{self.bits} bits" if self.bits else ""
        words = (self.codec, "lossless" * self.lossless, self.pixel_format, bits, f"by {self.encoder}")
        return ", ".join(word for word in words if word)

    def _alternatives(self) -> Iterator[str]:
        """One thing changed so that it works, or everything left to the codec."""
        found = False
        for name, values in VALUES.items():
            works = [value for value in values if self.model_copy(update={name: value}).choices()]
            if works:
                found = True
                yield f"{name} {', '.join(map(str, works))}"
        if not found:
            yield f"the codec {self.codec} with nothing else said"
