"""What a run asks of storage and of the bus, by its length, counted with the real handlers and a store in memory."""

import random
from collections import Counter

import pytest
from support.budget import Budget, CountingStore, leave_out_pixels

from framebrush.contracts import FrameRange
from framebrush.runs import Completion, batch_ranges

BEFORE = {"list": 83.9, "read": 568.8, "write": 159.0, "messages": 225.4}
"""Of 10,000 frames at 1280x720, per 1,000, on 2026-11-26 before completion, batches and listings were changed."""


@pytest.fixture(autouse=True)
def _no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_pixels(monkeypatch)


@pytest.mark.parametrize(("segment", "least"), [(120, 1_200), (None, 2_400)])  # None is a film with one keyframe
def test_operations_grow_with_the_frames_and_are_half_of_what_they_were(segment: int | None, least: int) -> None:
    found = {frames: Budget(frames, segment=segment).run() for frames in (least, 12_000, 60_000)}
    totals = {frames: sum(counts.values()) for frames, counts in found.items()}
    assert max(totals.values()) <= 1.1 * min(totals.values()), found
    for name, before in BEFORE.items():
        assert found[12_000][name] <= before / 2, (name, found[12_000])


@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_messages_costs_much_more(seed: int) -> None:
    plain = sum(Budget(12_000).run().values())
    generator = random.Random(seed)
    order = [lambda count: count - 1, generator.randrange, lambda count: 0 if generator.random() < 0.9 else count // 2]
    assert sum(Budget(12_000, order=order[seed]).run().values()) <= 1.2 * plain


@pytest.mark.parametrize(("segment", "lengths"), [(120, (12_000, 60_000)), (None, (101_000, 131_000))])
def test_a_look_at_the_progress_costs_the_same_however_long_a_run_is(
    segment: int | None, lengths: tuple[int, int]
) -> None:
    costs = []
    for frames in lengths:
        budget = Budget(frames, segment=segment)
        while budget.messages < frames // 20:  # in the middle of the run, with the frames split
            budget.step()
        budget.tracker()
        budget.store.requests.clear()
        budget.tracker._due = 0.0
        budget.tracker()
        costs.append(sum(budget.store.requests.values()))
    assert costs[1] <= costs[0] + 2, costs


def test_completion_is_told_for_the_last_event_in_any_order() -> None:
    for seed in range(20):
        store = CountingStore()
        budget, generator = Budget(600, store=store), random.Random(seed)
        manifest = budget.runs.manifest("film")
        events = [
            (segment, frames)
            for segment in range(len(manifest.segments))
            for frames in batch_ranges(120, manifest.pack_frames, 7)
        ]
        generator.shuffle(events)
        manifest = manifest.model_copy(update={"batch_frames": 7})
        store.write(budget.runs.blobs("film").manifest, manifest.encode())
        completion, left, done = Completion(type(budget.runs)(store, "work")), Counter(s for s, _ in events), set[int]()
        store.requests.clear()
        for segment, frames in events:
            store.write(budget.runs.blobs("film").styled(segment, frames), b"")
            left[segment] -= 1
            for _ in range(generator.choice((1, 1, 2))):  # some events come twice
                assert completion.scored("film", segment) == (left[segment] == 0)
            if not left[segment]:
                store.write(budget.runs.blobs("film").encoded(segment), b"")
                done.add(segment)
                assert completion.encoded("film") == (len(done) == len(manifest.segments))
        assert store.requests["list"] < len(events) / 2


def test_batches_of_a_segment() -> None:
    found = list(batch_ranges(50, pack=20, batch=8))
    assert found == [
        FrameRange(first=first, count=count)
        for first, count in ((0, 8), (8, 8), (16, 4), (20, 8), (28, 8), (36, 4), (40, 8), (48, 2))
    ]
