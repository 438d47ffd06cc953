from hypothesis import given
from hypothesis import strategies as st

from framebrush.messaging import derived_id

ids = st.text(max_size=300)
suffixes = st.from_regex(r"[~+][0-9]{1,19}", fullmatch=True)


@given(ids, suffixes)
def test_a_derived_id_is_one_that_the_broker_accepts(base: str, suffix: str) -> None:
    derived = derived_id(base, suffix)
    assert len(derived) <= 128
    assert derived.endswith(suffix)


@given(st.text(max_size=40), st.text(min_size=1, max_size=150), st.text(min_size=1, max_size=150), suffixes)
def test_ids_that_agree_for_long_stay_two(stem: str, one: str, other: str, suffix: str) -> None:
    first, second = stem.ljust(112, "-") + one, stem.ljust(112, "-") + other
    assert (derived_id(first, suffix) == derived_id(second, suffix)) == (first == second)


def test_a_short_id_stays_readable() -> None:
    assert derived_id("a/segment_planned/7", "~2") == "a/segment_planned/7~2"


def test_the_copies_of_a_copy_differ_however_many_there_are() -> None:
    base, seen = "x" * 128, set[str]()
    for copies in range(1, 200):
        copy = derived_id(base, f"~{copies}")
        seen.add(copy)
        base = copy.rpartition("~")[0]
    assert len(seen) == 199
