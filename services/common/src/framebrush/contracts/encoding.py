"""How a run's output is encoded: what a run may ask for, and which of it is possible."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from framebrush.contracts.codecs import CONTAINERS, ENCODERS, FORMATS, SMALL, SOUND_ENCODERS, Encoder, Preset
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
"""The fields that must fit together, with the values that each may have."""


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
    """How the output is encoded. A combination that works for no input is refused; the text names what would work."""

    codec: Codec = "h264"
    encoder: Backend = "software"
    """What encodes: the CPU, or with ``nvenc`` an NVIDIA GPU, where the installation has one for the stitcher."""
    pixel_format: Colors = "auto"
    """The colours of the output. ``auto`` is yuv420p, which every player shows, or yuv444p where an odd size forbids
    it. It is yuv422p for ProRes, and rgb for a lossless output."""
    bits: Literal[8, 10] | None = None
    """Bits per channel; None means as few as the codec has. Frames have eight bits on their way here: with ten, the
    output keeps what the conversion to YUV would round off."""
    crf: Annotated[int, Field(ge=0, le=63)] | None = None
    """Constant rate factor: a lower one gives a better and larger file. None means the codec's own, 20 for H.264."""
    bitrate: Annotated[int, Field(ge=1_000, le=2_000_000_000)] | None = None
    """Bits per second on average, instead of a constant rate factor."""
    lossless: bool = False
    """Whether frames are encoded without loss. With lossless packs too, the output's RGB is the model's, bit by bit."""
    preset: Preset = "medium"
    """The speed of encoding: a slower preset gives a smaller file. This scale is mapped to the one of each codec."""
    fast_start: bool = True
    """Whether MP4 and QuickTime have their index at the beginning, so that players can start before all is loaded."""

    def choices(self) -> list[Choice]:
        """Return what fits the request, the best first; the list is empty if the request never works."""
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
        """Return the choice for a video of this size, in pixels; None if no encoder of the codec can have it."""
        return next((each for each in self.choices() if each.encoder.accepts(each.colors, width, height)), None)

    def options(self, encoder: Encoder, pixels: int) -> dict[str, str]:
        """Return the options of FFmpeg's encoder for frames of so many pixels."""
        if self.lossless:
            rate = dict(encoder.lossless or {})
        elif self.bitrate is not None:
            rate = {"b": str(self.bitrate)}
        else:
            crf = encoder.crf if self.crf is None else self.crf
            rate = {} if crf is None else {encoder.quality: str(crf)}
        small = encoder.small if pixels < SMALL else {}
        return {**encoder.fixed, **encoder.presets.get(self.preset, {}), **small, **rate}

    def sound_encoder(self, suffix: str) -> str | None:
        """Return FFmpeg's encoder of sound that is converted for a container; None if there is none without loss."""
        lossy, lossless = SOUND_ENCODERS[FORMATS[suffix]]
        return lossless if self.lossless else lossy

    def unsuited(self, suffix: str) -> str | None:
        """Return why a container cannot carry the codec, and which one can; None if it can."""
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
        """Yield requests that work: each changes one field, and the last one leaves all fields to the codec."""
        found = False
        for name, values in VALUES.items():
            works = [value for value in values if self.model_copy(update={name: value}).choices()]
            if works:
                found = True
                yield f"{name} {', '.join(map(str, works))}"
        if not found:
            yield f"the codec {self.codec} with nothing else said"
