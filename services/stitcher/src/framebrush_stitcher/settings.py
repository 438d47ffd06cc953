"""Settings of the stitcher."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from framebrush.service import Settings

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class StitcherSettings(Settings):
    """How chunks are encoded and joined."""

    encoders: Annotated[int, Field(ge=1, le=64)] = 1
    """The number of chunks encoded at a time. Each takes some 200 MB at 1280x720; further ones wait."""
    encode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """The threads of one encoder. The encoded bytes depend on this number, so it does not follow the machine."""
    decode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """The threads that decode JPEG, for each chunk."""
    max_join_time: Annotated[float, Field(gt=0)] = 1200.0
    """The seconds of work, in which storage is not waited for, to join a run's chunks with the input's sound."""
    decoder_memory: Annotated[int, Field(ge=256)] | None = None
    """Megabytes that a process may take that opens an input: one for each message in hand. A quarter of the container's
    limit, or of the machine's memory, when unset."""
    scratch: Path | None = None
    """The folder for the files of one message, of the size of the output; the system's temporary folder when unset."""
    report_page: bool = True
    """Whether a run that succeeds gets a page that reports on it, beside its first output."""
    price_scorer_hour: Price = 0.526
    """What an hour of a pod that scores costs, for the estimate in the report."""
    price_cpu_hour: Price = 0.096
    """What an hour of a pod that splits or stitches costs."""
    price_storage_month: Price = 0.0208
    """What 10^9 bytes of storage cost in a month."""
    price_writes: Price = 0.065
    """What 10,000 writes of blobs cost."""
    price_operations: Price = 0.8
    """What a million operations of the bus cost."""
    price_currency: Annotated[str, Field(max_length=16)] = "USD"
    """The currency of the prices."""
