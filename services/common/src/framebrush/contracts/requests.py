"""What starts a run: our own request, an Event Grid event or a CloudEvent."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator, model_validator

from framebrush.contracts.codecs import FORMATS
from framebrush.contracts.document import BlobRef, Document, Model, ModelName, RunId, UnknownFields, check_name
from framebrush.contracts.encoding import Encoding
from framebrush.contracts.pictures import MOST_PICTURES, StyleImage, check_pictures
from framebrush.errors import InvalidMessage

SUBMITTED = "framebrush_submitted"
"""The metadata of a blob that comes with a request of its own. An event about such a blob starts no run."""

STYLE_IMAGE = "framebrush_style_image"
"""The metadata of a dropped blob that names its style pictures: ``wave.jpg``, or ``wave.jpg, scream.jpg=0.4``."""

MOST_MEMBERS = 5000
"""The largest number of members of an array of triggers, which is the largest batch that Event Grid sends."""

BLOB_CREATED = "Microsoft.Storage.BlobCreated"
#: On accounts with a hierarchical namespace a file is announced twice; these come first, with length 0.
INCOMPLETE_APIS = ("CreateFile", "SftpCreate")


class Options(Encoding):
    """How a run treats its frames. The options are part of the run's identity."""

    model: ModelName | None = None
    """The name of a style, or ``identity``. None means the installation's default."""
    more_models: Annotated[tuple[ModelName, ...], Field(max_length=7)] = ()
    """Further models. Each has an output of its own, and all share one decoding of the input."""
    # Left out when empty: splitters of an earlier release refuse a request with a field that they do not know.
    style_images: Annotated[
        tuple[StyleImage, ...], Field(max_length=MOST_PICTURES, exclude_if=lambda images: not images)
    ] = ()
    """The pictures that the model ``picture`` paints like. With several, the style is between theirs."""
    strength: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    """How much of the painting is in the output: 0 gives the input's pixels, 1 gives the painting's."""
    keep_colors: bool = False
    """Whether the output has the painting's luma with the input's chroma."""
    scale: Annotated[float, Field(ge=0.25, le=4, allow_inf_nan=False)] = 1.0
    """The size of the brush, relative to that which the style has by itself. The output keeps its size."""
    # Left out when it is None, as are the pictures.
    strokes: Annotated[bool | None, Field(exclude_if=lambda strokes: strokes is None)] = None
    """Whether what networks paint is laid in brush strokes. None means that it is as the style has it."""
    smoothing: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """How much each frame is averaged with its neighbours in its batch, along the motion."""
    pack_codec: Literal["jpeg", "png"] = "jpeg"
    """The image format of frames on their way between the stages. PNG loses nothing, and is four times as large."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95
    """The quality of JPEG packs."""
    fall_back: bool = False
    """Whether a run whose output cannot be as requested takes the next best, with a note, instead of failing."""
    streams: Annotated[Literal["fit", "strict"], Field(exclude_if=lambda streams: streams == "fit")] = "fit"
    """What becomes of sound and text that no container of the codec carries: ``fit`` leaves it out with a note, as long
    as some of the sound stays, ``strict`` ends the run before any work."""
    convert_audio: Annotated[bool, Field(exclude_if=lambda convert: not convert)] = False
    """Whether sound that the container cannot carry is converted: to AAC (Opus for WebM), or to FLAC (ALAC for
    QuickTime) if the output is lossless."""
    batch_frames: Annotated[int, Field(ge=1, le=64)] | None = None
    """The number of frames per score message. None means that it follows from the resolution."""
    bad_frames: Literal["fail", "keep_original", "hold_previous"] = "fail"
    """What becomes of a frame that cannot be scored."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of all models that the options give, the first one first."""
        return tuple(name for name in (self.model, *self.more_models) if name is not None)

    @field_validator("more_models")
    @classmethod
    def _each_once(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(models))

    @model_validator(mode="after")
    def _pictures_have_their_model(self) -> Self:
        check_pictures((self.model, *self.more_models), self.style_images)
        return self


class RunRequest(Document):
    """A request to style a blob."""

    queue: ClassVar[str] = "triggers"
    unknown_fields: ClassVar[UnknownFields] = "forbid"
    kind: Literal["run_request"] = "run_request"
    run_id: RunId | None = None
    """The run's id. Where it is None, it is derived from blob, ETag, options and output, so that the same trigger twice
    is one run. The splitter then sends itself the request with the id, and plans the run when that comes."""
    input: BlobRef
    options: Options = Options()
    announced: bool = False
    """Whether the request was made from an event of storage, so that no person asked for this run."""
    output: BlobRef | None = None
    """The output. None means a name in the output container that is made from the input's name and the model's."""

    @property
    def message_id(self) -> str:
        """Return the message id, which is the same for equal requests."""
        return self.run_id or hashlib.sha256(self.encode()).hexdigest()

    @field_validator("input", "output")
    @classmethod
    def _named_clearly(cls, blob: BlobRef | None) -> BlobRef | None:
        if blob is not None:
            check_name(blob.name)
        return blob

    @field_validator("options")
    @classmethod
    def _pictures_named_clearly(cls, options: Options) -> Options:
        for picture in options.style_images:
            check_name(picture.name)
        return options

    @field_validator("output")
    @classmethod
    def _known_format(cls, output: BlobRef | None) -> BlobRef | None:
        if output is not None and suffix_of(output) not in FORMATS:
            raise ValueError(f"the name must end in one of {', '.join(FORMATS)}")
        return output

    @model_validator(mode="after")
    def _carried(self) -> Self:
        problem = self.output and self.options.unsuited(suffix_of(self.output))
        if problem:
            raise ValueError(f"output: {problem}")
        return self


def suffix_of(output: BlobRef) -> str:
    """Return the extension of an output's name, in lower case and with the dot, which tells its container."""
    return PurePosixPath(output.name).suffix.lower()


class TriggerMember(Model):
    """One member of an array of triggers, valid or not. It goes to ``triggers`` as a message of its own."""

    queue: ClassVar[str] = "triggers"
    kind: ClassVar[str] = "trigger_member"
    run_id: ClassVar[None] = None
    content: bytes
    """The member as JSON. Equal members have equal content."""

    @classmethod
    def of(cls, item: Any) -> Self:
        """Return the message of a member, as :func:`json.loads` gives it."""
        # An array within an array is refused as a member. As a message of its own it would be an array like others.
        body = [item] if isinstance(item, list) else item
        try:
            return cls(content=json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
        except UnicodeEncodeError:  # half of a surrogate pair
            return cls(content=json.dumps(body, sort_keys=True, separators=(",", ":")).encode())

    def encode(self) -> bytes:
        """Return the body of the message."""
        return self.content

    @property
    def message_id(self) -> str:
        """Return the message id. It follows from the content, so that a member that comes twice is one message."""
        return hashlib.sha256(self.content).hexdigest()


class Trigger(Model):
    """One message of the triggers queue: a request, an event that is none of ours, or an array of triggers."""

    step: ClassVar[str] = "plan"
    requests: Annotated[tuple[RunRequest, ...], Field(max_length=1)] = ()
    """The request. There is none if the event is about another container, or comes too early."""
    members: tuple[TriggerMember, ...] = ()
    """The members of an array. Nobody has looked into them, so that each is accepted or put aside by itself."""

    @property
    def run_id(self) -> str | None:
        """Return the run's id if there is a request that names one, else None."""
        return self.requests[0].run_id if self.requests else None

    @classmethod
    def decode(cls, body: bytes, *, input_container: str) -> "Trigger":
        """Read a trigger in any of its three forms, as one object or an array. An array of one member is that member.

        Events of other containers than ``input_container`` are left out: outputs must not start runs.

        Raises:
            InvalidMessage: A field is missing or malformed, which the text names, or an array has more than
                :data:`MOST_MEMBERS` members.
        """
        try:
            content = json.loads(body)
            items = content if isinstance(content, list) else [content]
            if len(items) > MOST_MEMBERS:
                raise InvalidMessage(f"trigger: an array of {len(items)} members, more than {MOST_MEMBERS}")
            if len(items) > 1:
                members = dict.fromkeys(TriggerMember.of(item) for item in items)
                return cls(members=tuple(members))
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(f"trigger: not JSON: {error}") from None
        try:
            found = [_request(item, input_container) for item in items]
        except RecursionError:  # to read it took less of the stack than to write it does
            raise InvalidMessage("trigger: nested too deeply") from None
        return cls(requests=tuple(request for request in found if request is not None))


def derive_run_id(
    source: BlobRef, etag: str, options: Options, output: BlobRef | None, versions: Sequence[str] = ()
) -> str:
    """Return the id of a run: a readable stem and 48 bits of SHA-256. Equal arguments give equal ids.

    Args:
        source: The input.
        etag: The ETag of the input.
        options: The options, with a model.
        output: The output that was asked for.
        versions: The ETags of the style pictures, then the hashes of the library's styles.

    """
    chosen = options.model_dump(exclude_defaults=True)  # Thus an option that is added later changes no id.
    parts: list[object] = [str(source), etag.strip('"'), chosen, output and str(output)]
    parts += [[each.strip('"') for each in versions]] if versions else []
    key = json.dumps(parts, sort_keys=True)
    return f"{run_stem(source.name)}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def run_stem(name: str) -> str:
    """Return what the ids of a film's runs begin with, before the hash: the name of its blob in plain letters."""
    plain = unicodedata.normalize("NFKD", PurePosixPath(name).stem).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "run"


def _request(item: Any, input_container: str) -> RunRequest | None:
    if not isinstance(item, dict):
        raise InvalidMessage(f"trigger: expected an object, got {type(item).__name__}")
    if "specversion" in item:
        return _from_event(item, item.get("type"), "type", input_container)
    if "eventType" in item:
        return _from_event(item, item["eventType"], "eventType", input_container)
    return RunRequest.decode(json.dumps(item).encode())


def _from_event(item: dict[str, Any], event_type: Any, field: str, input_container: str) -> RunRequest | None:
    if event_type != BLOB_CREATED:
        raise InvalidMessage(f"event: {field}: expected {BLOB_CREATED}, got {event_type!r}")
    subject, data = item.get("subject"), item.get("data")
    match = re.fullmatch(
        r"/blobServices/default/containers/([^/]+)/blobs/(.+)", subject if isinstance(subject, str) else ""
    )
    if match is None:
        raise InvalidMessage(f"event: subject: expected /blobServices/default/containers/…/blobs/…, got {subject!r}")
    if not isinstance(data, dict):
        raise InvalidMessage("event: data: expected an object")
    if data.get("api") in INCOMPLETE_APIS or match[1] != input_container:
        return None
    # The URL is escaped. The subject is not, and characters outside of the basic plane are lost in it.
    _, found, path = _path(data.get("url", "")).partition(f"/{match[1]}/")
    body = {"input": {"container": match[1], "name": unquote(path) if found else match[2]}, "announced": True}
    return RunRequest.decode(json.dumps(body).encode())


def _path(url: Any) -> str:
    try:
        if isinstance(url, str):
            return urlsplit(url).path
    except ValueError:  # such as a host in brackets that is no IPv6 address
        pass
    raise InvalidMessage(f"event: data.url: expected a URL, got {url!r:.64}")
