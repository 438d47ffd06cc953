from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush_broker import atom
from framebrush_broker.errors import BadRequest, NotSupported
from framebrush_broker.namespace import Namespace
from framebrush_broker.options import QueueOptions

DURATIONS = st.integers(1, 300_000).map(lambda milliseconds: milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT1M", 60), ("PT1M30S", 90), ("P1DT2H", 93600), ("PT0.5S", 0.5), ("P2D", 172800), (atom.FOREVER, None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert atom.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "1M", "PT1X", "PT1H30", "PT1.2.3S"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadRequest, match="no ISO 8601 duration"):
        atom.parse_duration(text)


@given(
    lock=DURATIONS,
    deliveries=st.integers(1, 2000),
    ttl=st.none() | DURATIONS,
    window=st.none() | DURATIONS,
    dead=st.booleans(),
    size=st.integers(1, 80_000),
)
def test_a_description_reads_back_as_it_was_written(
    lock: float, deliveries: int, ttl: float | None, window: float | None, dead: bool, size: int
) -> None:
    options = QueueOptions(lock, deliveries, ttl, dead, window, size)
    declared = Namespace(clock=lambda: 1e9).create("q", options)
    entry = atom.queue_entry(declared, declared.queue.counts(1e9), 0, "http://host", count_locked=True)
    assert atom.parse_description(ET.tostring(entry)) == options


@pytest.mark.parametrize("name", ["RequiresSession", "EnablePartitioning", "ForwardTo"])
def test_what_the_broker_has_not_is_refused(name: str) -> None:
    document = f'<entry><QueueDescription xmlns="{atom.SERVICE_BUS}"><{name}>true</{name}></QueueDescription></entry>'
    with pytest.raises(NotSupported, match=f"no {name}"):
        atom.parse_description(document.encode())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<a", "not XML"),
        (
            f'<e><QueueDescription xmlns="{atom.SERVICE_BUS}"><MaxDeliveryCount>x</MaxDeliveryCount>'
            "</QueueDescription></e>",
            "MaxDeliveryCount is 'x'",
        ),
    ],
)
def test_bad_documents_are_refused(document: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        atom.parse_description(document.encode())
