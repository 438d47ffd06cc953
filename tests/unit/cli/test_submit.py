"""What ``framebrush submit`` makes of its flags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush.contracts import Encoding, Options
from framebrush_cli.commands.request import bits_per_second
from framebrush_cli.commands.submit import submit
from framebrush_cli.errors import CommandFailed


@pytest.mark.parametrize(
    ("text", "bits"), [(None, None), ("4M", 4_000_000), ("800k", 800_000), ("2.5M", 2_500_000), ("1500000", 1_500_000)]
)
def test_bitrates_are_written_as_people_do(text: str | None, bits: int | None) -> None:
    assert bits_per_second(text) == bits


@given(st.text(max_size=8).filter(lambda text: not text or text[-1] not in "kM0123456789"))
def test_what_is_no_bitrate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CommandFailed, match="such as 4M, 800k"):
        bits_per_second(text)


def test_every_option_of_a_run_has_a_flag() -> None:
    flags = set(submit.__annotations__)
    assert (
        set(Options.model_fields) - {"more_models", "style_images"} <= flags
    )  # --style and --style-image, several times
    assert set(Encoding.model_fields) <= flags
