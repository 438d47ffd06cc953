import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush.errors import (
    BlobNotFound,
    Conflict,
    DeadlineExceeded,
    Draining,
    InputChanged,
    InvalidMessage,
    InvalidVideo,
    LimitExceeded,
    LockLost,
    PermanentError,
    RunExists,
    TooManyDeliveries,
    Unavailable,
    Unfit,
)
from framebrush.messaging import (
    Complete,
    DeadLetter,
    HandBack,
    Leave,
    Retry,
    RetryPolicy,
    check_deliveries,
    compute_backoff,
    decide,
)

attempts = st.integers(1, 10_000)
fractions = st.floats(0, 1)
policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 100),
    max_deliveries=st.integers(1, 100),
    base=st.floats(0.001, 100),
    cap=st.floats(0.001, 1000),
    outage=st.floats(0.001, 100),
)
PERMANENT = [
    PermanentError,
    InvalidMessage,
    InvalidVideo,
    LimitExceeded,
    BlobNotFound,
    InputChanged,
    RunExists,
    TooManyDeliveries,
]


@given(attempts, policies, fractions)
def test_the_pause_lies_in_the_upper_half_of_its_interval(attempt: int, policy: RetryPolicy, fraction: float) -> None:
    full = min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 32))
    assert full / 2 <= compute_backoff(attempt, policy, fraction) <= full * (1 + 1e-12)


@given(attempts, policies, fractions)
def test_the_pause_never_shrinks_and_never_exceeds_the_cap(attempt: int, policy: RetryPolicy, fraction: float) -> None:
    pause = compute_backoff(attempt, policy, fraction)
    assert pause <= compute_backoff(attempt + 1, policy, fraction) <= policy.cap * (1 + 1e-12)


def test_the_pause_doubles() -> None:
    policy = RetryPolicy(base=1, cap=60)
    assert [compute_backoff(n, policy, 1.0) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [compute_backoff(n, policy, 0.0) for n in range(1, 5)] == [0.5, 1, 2, 4]


@given(attempts, policies, fractions)
def test_without_an_error_a_message_is_done(attempt: int, policy: RetryPolicy, fraction: float) -> None:
    assert decide(None, attempt, policy, fraction) == Complete()


@given(attempts, policies, fractions)
def test_a_lost_lock_leaves_the_message_to_its_new_holder(attempt: int, policy: RetryPolicy, fraction: float) -> None:
    assert decide(LockLost(), attempt, policy, fraction) == Leave()


@given(attempts, policies, fractions)
def test_a_draining_process_hands_back(attempt: int, policy: RetryPolicy, fraction: float) -> None:
    assert decide(Draining(), attempt, policy, fraction) == HandBack(0.0)


@given(attempts, policies, fractions)
def test_an_outage_is_never_held_against_the_message(attempt: int, policy: RetryPolicy, fraction: float) -> None:
    decision = decide(Unavailable("away"), attempt, policy, fraction)
    assert isinstance(decision, Retry)
    assert not decision.counted
    assert policy.outage / 2 <= decision.delay <= policy.outage * 1.5


@pytest.mark.parametrize("error", PERMANENT)
@given(attempt=attempts, policy=policies)
def test_what_cannot_succeed_is_put_aside_at_once(
    error: type[PermanentError], attempt: int, policy: RetryPolicy
) -> None:
    assert decide(error("because"), attempt, policy, 0.5) == DeadLetter(error.reason, "because")


@pytest.mark.parametrize("error", [ValueError("odd"), Conflict("lost"), DeadlineExceeded(), MemoryError(), KeyError(1)])
@given(policy=policies, fraction=fractions)
def test_anything_else_is_tried_as_often_as_the_policy_says(
    error: BaseException, policy: RetryPolicy, fraction: float
) -> None:
    for attempt in range(1, policy.max_attempts):
        decision = decide(error, attempt, policy, fraction)
        assert decision == Retry(compute_backoff(attempt, policy, fraction), counted=True)
    last = decide(error, policy.max_attempts, policy, fraction)
    assert isinstance(last, DeadLetter)
    assert type(error).__name__ in last.description
    assert f"attempt {policy.max_attempts} of {policy.max_attempts}" in last.description
    assert last.reason == ("deadline_exceeded" if isinstance(error, DeadlineExceeded) else "handler_failed")


class Suspect(Unfit):
    suspect = True


@pytest.mark.parametrize("error", [Unfit("the key is refused"), Suspect("the GPU is lost")])
@given(attempt=attempts, policy=policies, fraction=fractions)
def test_an_unfit_process_hands_back_after_a_pause(
    error: Unfit, attempt: int, policy: RetryPolicy, fraction: float
) -> None:
    decision = decide(error, attempt, policy, fraction)
    assert isinstance(decision, HandBack)
    assert decision.suspect == error.suspect
    assert 0 < policy.outage / 2 <= decision.delay <= policy.outage * 1.5


NOT_ITS_FAULT = [Unfit("x"), Suspect("x"), Draining(), LockLost(), Unavailable("x")]


@given(st.lists(st.sampled_from([*NOT_ITS_FAULT, ValueError("odd"), DeadlineExceeded()])), policies, fractions)
def test_a_message_is_put_aside_for_its_own_failures_only(
    errors: list[BaseException], policy: RetryPolicy, fraction: float
) -> None:
    """Whatever happens in between, and in whatever order: the n-th failure of its own is the last, and no other is."""
    failures = 0
    for error in errors:
        decision = decide(error, failures + 1, policy, fraction)
        own = error not in NOT_ITS_FAULT
        failures += own
        assert isinstance(decision, DeadLetter) == (own and failures == policy.max_attempts)
        if isinstance(decision, DeadLetter):
            return
        if isinstance(decision, Retry):
            assert decision.counted == own
    assert failures < policy.max_attempts


@given(st.integers(0, 1000), policies)
def test_deliveries_without_an_end_are_bounded(deliveries: int, policy: RetryPolicy) -> None:
    if deliveries < policy.max_deliveries:
        check_deliveries(deliveries, policy)
    else:
        with pytest.raises(TooManyDeliveries, match=f"^{deliveries} processes"):
            check_deliveries(deliveries, policy)
