"""Planning a run: who has its id, what is in its film, and which segments are to be decoded."""

import logging
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import ValidationError

from framebrush.contracts import (
    FORMATS,
    PICTURE,
    STYLE_IMAGE,
    SUBMITTED,
    BlobRef,
    Manifest,
    Options,
    PlannedRequest,
    RunRequest,
    SegmentPlanned,
    Source,
    State,
    Status,
    StyleImage,
    derive_run_id,
    explain,
    suffix_of,
)
from framebrush.errors import (
    AccessDenied,
    BlobNotFound,
    InvalidMessage,
    InvalidVideo,
    PermanentError,
    RunExists,
)
from framebrush.messaging import bind_run, note_progress
from framebrush.runs import OUTPUT_OF, Outputs, Runs, work_metadata
from framebrush.sandbox import Allowance, Sandbox
from framebrush.steps import describe, timed
from framebrush.storage import BlobInfo, Store, write_once
from framebrush.styles import Library
from framebrush_splitter.ceilings import check_cost, check_open_runs
from framebrush_splitter.pictures import PictureLooker
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.tasks import output_names, plan_run
from framebrush_splitter.video import read_input

log = logging.getLogger(__name__)


class Planner:
    """Plans runs. A run is planned once: to plan it again, after a crash anywhere, goes on with the plan there is."""

    def __init__(self, store: Store, settings: SplitterSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._runs = Runs(store, settings.work_container)
        self._outputs = Outputs(self._runs)
        self._look = PictureLooker(store, settings, sandbox)
        self._library = Library(store, settings.styles_container)

    def __call__(self, request: RunRequest) -> Iterator[RunRequest | SegmentPlanned]:
        """Plan a run, unless it is planned, and yield its segments, unless it has ended.

        A request that names no run is not planned. Instead, it is yielded with its run's id and its model, to come
        again. So the run keeps its id when it is planned anew after a crash, although what the id derives from may be
        another one by then: the film, or the installation's model.

        Raises:
            AccessDenied: The request names a container that is none for inputs, or none for outputs.
            BlobNotFound: The input does not exist.
            RunExists: The request names a run that belongs to another request.
            UnknownModel: There is no model of a name that the request gives.
            OutputTaken: The request names an output that belongs to another run, or to nobody.
            PermanentError: The input cannot be styled as requested.
        """
        self._check_containers(request)
        source, missing = self._find(request.input)
        if source is not None and self._passed_over(request, source):
            log.info("%s comes with a request of its own, or is the output of a run", request.input)
            return
        options = self._resolve(_with_pictures(request, source))
        if request.run_id is None:
            etag, versions = source.etag if source else "", self._versions(options)
            run_id = derive_run_id(request.input, etag, options, request.output, versions)
            bind_run(run_id)
            yield request.model_copy(update={"run_id": run_id, "options": options})
            return
        run_id = request.run_id
        options = self._own(run_id, request, options)
        now = datetime.now(UTC)
        first = Status(
            run_id=run_id, state=State.PLANNING, created=now, updated=now,
            input=request.input, model=options.model or "", more_models=options.more_models,
            style_images=options.style_images,
        )  # fmt: skip
        if not self._runs.create(first) and not self._runs.active(run_id):
            log.info("the run has ended already")
            return
        manifest = self._plan(run_id, request.model_copy(update={"options": options}), source, missing)

        def planned(status: Status) -> Status:
            return status.model_copy(
                update={
                    "state": State.RUNNING,
                    "model": manifest.model,
                    "more_models": manifest.options.more_models,
                    "frames": manifest.frames,
                    "output": manifest.output,
                    "more_outputs": manifest.more_outputs,
                }
            )

        generation = self._runs.update(run_id, planned).generation
        describe(frames=manifest.frames, model=", ".join(each.model for each in manifest.renditions))
        log.info("planned", extra={"data": {"frames": manifest.frames, "segments": len(manifest.segments)}})
        for segment in manifest.first_segments:
            yield SegmentPlanned(run_id=run_id, segment=segment, generation=generation)
        if source is not None and source.etag != manifest.source.etag:
            raise _exists(run_id)  # once the run goes on: this may be its own request, which comes again

    def _check_containers(self, request: RunRequest) -> None:
        """Check the containers of a request, before anything in them is looked at."""
        settings = self._settings
        named = [("inputs", settings.inputs, request.input), ("outputs", settings.outputs, request.output)]
        for what, allowed, ref in named:
            if ref is not None and (ref.container not in allowed or ref.container == settings.work_container):
                raise AccessDenied(f"{ref}: {what} are in {', '.join(allowed)}: see FRAMEBRUSH_MORE_{what.upper()}")

    def _find(self, ref: BlobRef) -> tuple[BlobInfo | None, BlobNotFound | None]:
        try:
            return self._store.stat(ref), None
        except BlobNotFound as error:
            return None, error

    def _passed_over(self, request: RunRequest, source: BlobInfo) -> bool:
        """Whether a blob's creation starts no run. A run that has begun goes on, whatever its blob has become."""
        if not request.announced or not {SUBMITTED, OUTPUT_OF} & source.metadata.keys():
            return False
        return request.run_id is None or not self._runs.exists(self._runs.blobs(request.run_id).status)

    def _resolve(self, options: Options) -> Options:
        """The options with a model if they name none, and each model once."""
        model = options.model or (PICTURE if options.style_images else self._settings.default_model)
        more = tuple(each for each in options.more_models if each != model)
        return options.model_copy(update={"model": model, "more_models": more})

    def _versions(self, options: Options) -> list[str]:
        """The ETags of the style pictures, and the hashes of the library's styles; what is wrong, planning says."""
        found = [self._find(self._look.ref(image))[0] for image in options.style_images]
        try:
            pinned = self._library.pin(options.models)
        except PermanentError:
            pinned = {}
        return [*(blob.etag if blob else "" for blob in found), *(style.digest for style in pinned.values())]

    def _own(self, run_id: str, request: RunRequest, options: Options) -> Options:
        """Record that a run id belongs to this request; return the options with which it was first resolved.

        Raises:
            RunExists: It belongs to another request.
        """
        ref = self._runs.blobs(run_id).request
        record = PlannedRequest(input=request.input, requested=request.options, options=options, output=request.output)
        if not self._runs.exists(ref) and self._is_older(run_id, record):
            raise _exists(run_id)
        if write_once(self._store, ref, record.encode()):
            return options
        found = PlannedRequest.decode(self._store.read(ref))
        same = found.requested == record.requested or found.options == record.options
        if not same or (found.input, found.output) != (record.input, record.output):
            raise _exists(run_id)
        return found.options

    def _is_older(self, run_id: str, record: PlannedRequest) -> bool:
        """Whether a run is another request's that a splitter of version 0.1 started, which recorded no request."""
        try:
            if self._runs.status(run_id).input != record.input:
                return True
            planned = self._runs.manifest(run_id)
        except BlobNotFound:
            return False
        same_models = (planned.model, planned.options.more_models) == (record.options.model, record.options.more_models)
        return not same_models or (not record.options.fall_back and planned.options != record.options)

    def _plan(
        self, run_id: str, request: RunRequest, source: BlobInfo | None, missing: BlobNotFound | None
    ) -> Manifest:
        """The plan that is there, else a new one; of two that are made at the same time the first to be written."""
        with suppress(BlobNotFound):
            return self._runs.manifest(run_id)
        if source is None:
            raise missing or BlobNotFound(str(request.input))
        settings, started = self._settings, datetime.now(UTC)
        if settings.max_open_runs is not None:
            check_open_runs(self._runs, run_id, settings.max_open_runs)
        styles = self._library.pin(request.options.models)
        style = self._look(request.options.style_images)
        allowance = Allowance(settings.max_plan_time, "MAX_PLAN_TIME", "reading its packets")
        reader = read_input(self._store, request.input, source.size, source.etag)
        note_progress(settings.max_plan_time)
        with timed("plan"):
            (content,) = self._sandbox.run(
                allowance, reader, plan_run, request, source, settings.limits,
                segment_frames=settings.segment_frames, chunk_frames=settings.chunk_frames,
                output_container=settings.output_container, nvenc=settings.nvenc,
            )  # fmt: skip
        note_progress()
        manifest = Manifest.decode(bytes(content))
        wanted = [rendition.output for rendition in manifest.renditions]
        _check_plan(manifest, wanted, request, source, settings.output_container)
        check_cost(manifest, settings.max_run_pixels)
        output, *more = self._outputs.choose(run_id, wanted, requested=request.output is not None)
        made: dict[str, object] = {"output": output, "more_outputs": tuple(more), "style": style, "styles": styles}
        window = window_of(manifest, settings.window_batches)
        if window is not None:
            made |= {"window": window, "version": max(4, manifest.version)}
        manifest = manifest.model_copy(update=made)
        ref = self._runs.blobs(run_id).manifest
        write_once(self._store, ref, manifest.encode(), metadata=work_metadata(started))
        return self._runs.manifest(run_id)


def _check_plan(
    manifest: Manifest, outputs: list[BlobRef], request: RunRequest, source: BlobInfo, container: str
) -> None:
    """Check that a plan is of this request: it comes from a process that the film may have taken over.

    Raises:
        InvalidVideo: It is of another run, reads another film or writes other outputs.
    """
    options, suffix = request.options, suffix_of(manifest.output)
    models = (options.model or "", *options.more_models)
    expected = (request.run_id, Source(blob=request.input, etag=source.etag, size=source.size), models)
    planned = (manifest.run_id, manifest.source, tuple(rendition.model for rendition in manifest.renditions))
    names = output_names(request, models, suffix, container) if suffix in FORMATS else []
    if (planned, outputs) != (expected, names) or manifest.options.style_images != options.style_images:
        raise InvalidVideo(f"{request.input}: the decoder does not make sense")


def window_of(manifest: Manifest, batches: int) -> int | None:
    """Return how many segments of a run are in work at a time, which have so many score batches on average, or more.

    Two is the least, so that a splitter can decode one while scorers paint another. None means all of them.
    """
    count, frames = len(manifest.segments), batches * manifest.batch_frames
    window = max(2, math.ceil(frames * count / manifest.frames))
    return window if window < count else None


def _with_pictures(request: RunRequest, source: BlobInfo | None) -> Options:
    """The options of a request; those of a dropped blob have the style pictures that the blob's metadata names.

    Raises:
        InvalidMessage: The metadata is malformed.
    """
    named = source.metadata.get(STYLE_IMAGE, "") if source is not None and request.announced else ""
    if not named or request.run_id is not None:
        return request.options
    try:
        pictures = StyleImage.parse_list(named)
        return Options.model_validate(request.options.model_dump() | {"style_images": pictures})
    except ValidationError as error:
        raise InvalidMessage(f"metadata {STYLE_IMAGE} of {request.input}: {explain(error)}") from None


def _exists(run_id: str) -> RunExists:
    return RunExists(f"run {run_id} exists with another input or other options; choose another run id")
