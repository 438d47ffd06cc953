"""One object per contract: the story of a two-segment video, from trigger to report."""

from datetime import UTC, datetime

import pytest

from framebrush.contracts import (
    BatchReady,
    BatchScored,
    BlobRef,
    Catalogue,
    Check,
    Document,
    EncodedSegment,
    FailedFrame,
    Failure,
    FrameFailure,
    FrameRange,
    ItemFailed,
    LearningJob,
    LearningState,
    LearningStatus,
    LearningTurn,
    LearnRequest,
    LibraryStyle,
    Manifest,
    Message,
    Options,
    OutputClaim,
    PackReady,
    PinnedBlob,
    PlannedRequest,
    Progress,
    Report,
    RunEncoded,
    RunRequest,
    Segment,
    SegmentEncoded,
    SegmentPlanned,
    SegmentScored,
    Source,
    State,
    Status,
    TaskTime,
    Timeline,
    Timing,
    Timings,
    VideoProperties,
)

RUN = "harbour-1f6eb25a4f31"
INPUT = BlobRef(container="input", name="trips/Harbour.mp4")
OUTPUT = BlobRef(container="output", name="trips/Harbour.gouache.mp4")
OPTIONS = Options(model="gouache", crf=20, bad_frames="keep_original")
NOTES = ("stream 2 (data, bin_data) is left out",)
PACK = FrameRange(first=16, count=4)


def at(second: int) -> datetime:
    return datetime(2026, 11, 2, 10, 30, second, tzinfo=UTC)


STAGES = {
    "split": Timing(started=at(2), ended=at(4), busy=2.5),
    "scored": Timing(started=at(3), ended=at(21), busy=16.25),
    "encoded": Timing(started=at(19), ended=at(23), busy=3.5),
}

LEARN = LearnRequest(
    name="wave",
    picture="wave.jpg",
    content=(INPUT, BlobRef(container="input", name="trips/Street.mp4")),
    title="The Great Wave off Kanagawa, Katsushika Hokusai, around 1831",
)
JOB, DIGEST = "5b1f0c7de9a2b346", "a3" * 32

MESSAGES: dict[str, Message] = {
    "run_request": RunRequest(run_id=RUN, input=INPUT, options=OPTIONS, output=OUTPUT),
    "segment_planned": SegmentPlanned(run_id=RUN, segment=1),
    "pack_ready": PackReady(run_id=RUN, segment=1, frames=PACK, offsets=(0, 9728, 19968, 30208, 40448)),
    "item_failed": ItemFailed(
        run_id=RUN,
        source="batches",
        item=f"{RUN}/batch_ready/1/16",
        reason="frame_failed",
        description="frame 17 of segment 1: not an image (0 bytes)",
        body='{"version":1,"kind":"batch_ready"}',
    ),
    "batch_ready": BatchReady(
        run_id=RUN, segment=1, frames=FrameRange(first=18, count=2), pack=PACK, start=19968, length=20480
    ),
    "batch_scored": BatchScored(run_id=RUN, segment=1, frames=FrameRange(first=18, count=2)),
    "segment_scored": SegmentScored(run_id=RUN, segment=1),
    "segment_encoded": SegmentEncoded(run_id=RUN, segment=1),
    "run_encoded": RunEncoded(run_id=RUN),
    "learn_request": LEARN,
    "learning_turn": LearningTurn(job=JOB, turn=2),
}

DOCUMENTS: dict[str, Document] = {
    "manifest": Manifest(
        run_id=RUN,
        created=at(1),
        source=Source(blob=INPUT, etag='"0x8DEE0F2B8C5A3D1"', size=1_048_576),
        model="gouache",
        options=OPTIONS,
        output=OUTPUT,
        video=VideoProperties(
            stream=0,
            codec="h264",
            width=1280,
            height=720,
            pixel_format="yuv420p",
            time_base=(1, 12800),
            frame_rate=(25, 1),
            sample_aspect_ratio=(1, 1),
            rotation=(0, 65536, 0, -65536, 0, 0, 0, 0, 1073741824),
            color_range=1,
            color_primaries=1,
            color_trc=1,
            color_space=1,
        ),
        copied_streams=(1,),
        duration=5.6,
        pack_frames=16,
        batch_frames=2,
        segments=(Segment(start=0, end=61440, frames=120), Segment(start=61440, end=71680, frames=20)),
        notes=NOTES,
    ),
    "planned_request": PlannedRequest(
        input=INPUT, requested=OPTIONS.model_copy(update={"model": None}), options=OPTIONS, output=OUTPUT
    ),
    "output_claim": OutputClaim(run_id=RUN, output=OUTPUT),
    "timeline": Timeline(pts=(61440, 61952, 62464), durations=(512, 512, 512), offsets=((0, 9728, 19968, 30208),)),
    "frame_failure": FrameFailure(frame=17, error="not an image (0 bytes)"),
    "encoded_segment": EncodedSegment(reorder=2, failures=(FrameFailure(frame=17, error="not an image (0 bytes)"),)),
    "status": Status(
        run_id=RUN,
        state=State.FAILED,
        created=at(1),
        updated=at(22),
        ended=at(22),
        input=INPUT,
        model="gouache",
        output=OUTPUT,
        frames=140,
        progress=Progress(split=140, scored=138, encoded=120),
        failed_frames=0,
        error=Failure(reason="frame_failed", description="frame 17 of segment 1: not an image (0 bytes)"),
        stages=STAGES,
    ),
    "report": Report(
        run_id=RUN,
        input=INPUT,
        output=OUTPUT,
        model="gouache",
        options=OPTIONS,
        frames=140,
        duration=5.6,
        failed_frames=(FailedFrame(index=137, error="not an image (0 bytes)"),),
        bad_frames="keep_original",
        stages=STAGES | {"joined": Timing(started=at(23), ended=at(24), busy=0.75)},
        checks=(
            Check(name="video frames", wanted="140", found="140", ok=True),
            Check(name="audio 0 language", wanted="nob", found="und", ok=False),
        ),
        notes=NOTES,
    ),
    "catalogue": Catalogue(models=("gouache", "identity", "mine")),
    "library_style": LibraryStyle(
        name="wave",
        digest=DIGEST,
        size=567000,
        added=at(40),
        title="The Great Wave off Kanagawa, Katsushika Hokusai, around 1831",
        natural_edge=360,
        strokes=True,
        preview=True,
        card='{"licence":"MIT","width":16,"blocks":3,"norm":"batch"}',
    ),
    "learning_job": LearningJob(
        job=JOB,
        request=LEARN,
        picture=PinnedBlob(blob=BlobRef(container="styles", name="wave.jpg"), etag='"0x8DEE0F2B8C5A3D2"', size=123262),
        content=(
            PinnedBlob(blob=INPUT, etag='"0x8DEE0F2B8C5A3D1"', size=1_048_576),
            PinnedBlob(blob=LEARN.content[1], etag='"0x8DEE0F2B8C5A3D3"', size=2_097_152),
        ),
    ),
    "learning_status": LearningStatus(
        job=JOB,
        name="wave",
        state=LearningState.LEARNING,
        created=at(1),
        updated=at(31),
        step=600,
        steps=2400,
        seconds=298.5,
        loss=0.1834,
    ),
    "timings": Timings(
        tasks=(
            TaskTime(
                stage="split",
                segment=0,
                first=0,
                frames=16,
                started=at(2),
                ended=at(4),
                size=401408,
                pod="splitter-0-7",
            ),
            TaskTime(
                stage="scored", segment=0, first=0, frames=16, rendition=1, started=at(3), ended=at(21), size=512000
            ),
            TaskTime(
                stage="encoded",
                segment=0,
                first=0,
                frames=16,
                started=at(22),
                ended=at(23),
                size=90112,
                pod="stitcher-0-8",
                up=at(20),
                queued=at(19),
                taken=at(21),
                attempt=2,
            ),
        )
    ),
}

CONTRACTS: dict[str, Document] = {**MESSAGES, **DOCUMENTS}

DROPPED = RunRequest(input=BlobRef(container="input", name="trips/Old Harbour.mp4"), announced=True)
TRIGGERS = {
    "event_grid_event": (DROPPED,),
    "cloud_event": (DROPPED,),
    "events": (DROPPED, DROPPED),
}
"""Foreign forms of a trigger, read but never written."""


@pytest.fixture(params=CONTRACTS)
def contract(request: pytest.FixtureRequest) -> tuple[str, Document]:
    """A name and the object behind it."""
    return request.param, CONTRACTS[request.param]


@pytest.fixture(params=MESSAGES)
def message(request: pytest.FixtureRequest) -> Message:
    return MESSAGES[request.param]


@pytest.fixture(params=[name for name in CONTRACTS if name not in ("run_request", "learn_request")])
def internal(request: pytest.FixtureRequest) -> Document:
    """A document that services write for each other."""
    return CONTRACTS[request.param]


@pytest.fixture(params=TRIGGERS)
def event(request: pytest.FixtureRequest) -> tuple[str, tuple[RunRequest, ...]]:
    return request.param, TRIGGERS[request.param]


@pytest.fixture
def golden_names() -> set[str]:
    return {*CONTRACTS, *TRIGGERS}
