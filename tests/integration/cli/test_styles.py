"""``framebrush styles`` as a process, against real backends; the test plays the learner."""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support.video import make_video, painting

from framebrush.contracts import Catalogue, LearningState, LearningTurn, LearnRequest, Message, decode
from framebrush.messaging import body_of, connect
from framebrush.sandbox import Sandbox
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush.styles import OURS, LearningJobs, Library
from framebrush_scorer.learning import session
from framebrush_scorer.learning.learner import Learner
from framebrush_scorer.networks import TransformerNet
from framebrush_scorer.settings import LearnerSettings
from framebrush_scorer.training import Recipe

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def library(settings: Settings) -> Library:
    store = AzureBlobs(settings)
    store.create_containers(settings.containers)
    return Library(store, settings.styles_container)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_file(TransformerNet(4, 1, "batch").state_dict(), tmp_path / "wave.safetensors")
    torch.save(TransformerNet(4, 1, "instance").state_dict(), tmp_path / "theirs.pth")
    (tmp_path / "broken.safetensors").write_bytes(b"no weights")
    (tmp_path / "wave.png").write_bytes(painting(1))
    return tmp_path


def test_styles_are_added_shown_listed_and_removed(framebrush: Command, library: Library, weights: Path) -> None:
    assert framebrush("styles", "add", "wave.safetensors", "--title", "A wave").stdout == "wave: A wave\n"
    framebrush("styles", "add", "theirs.pth")
    assert library.names() == ["theirs", "wave"]
    shown = framebrush("styles", "show", "wave", "--preview", "out.png").stdout
    assert "SHA-256" in shown
    assert (weights / "out.png").read_bytes() == painting(1)
    card = json.loads(framebrush("styles", "show", "theirs", "--json").stdout)["card"]
    assert (card["width"], card["norm"], card["licence"]) == (4, "instance", "NOASSERTION")
    assert "The Starry Night" in framebrush("styles", "show", "starry").stdout
    listed = {each["name"]: each for each in json.loads(framebrush("styles", "list", "--json").stdout)["models"]}
    assert {listed[name]["kind"] for name in ("wave", "theirs")} == {"library"}
    assert (listed["starry"]["kind"], listed["ink"]["kind"]) == ("shipped", "built in")
    assert "A wave" in framebrush("styles", "list").stdout

    assert "the library has another style wave" in framebrush(
        "styles", "add", "theirs.pth", "--name", "wave", code=1
    ).stderr  # fmt: skip
    framebrush("styles", "add", "theirs.pth", "--name", "wave", "--force")
    framebrush("styles", "remove", "wave")
    assert "did you mean wave" not in framebrush("styles", "remove", "wave", code=1).stderr
    assert library.names() == ["theirs"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "broken.safetensors"], "broken.safetensors cannot be read"),
        (["add", "absent.safetensors"], "absent.safetensors: no such file with weights"),
        (["add", "wave.png"], "wave.png: no such file with weights"),
        (["add", "wave.safetensors", "--name", "../wave"], "is no name for a style"),
        (["add", "wave.safetensors", "--name", "identity"], "identity is a model that comes with framebrush"),
        (["show", "stary"], "did you mean starry?"),
        (["remove", "starry"], "starry comes with framebrush"),
        (["learn", "absent.jpg"], "absent.jpg: no such file here, and no such blob"),
        (["learn", "wave.png", "--content", "absent.mp4"], "absent.mp4: no such file here"),
        (["learn", "wave.png", "--steps", "1", "--content", "wave.png"], "steps"),
    ],
)
def test_what_cannot_be_done_says_why(
    framebrush: Command, library: Library, weights: Path, arguments: list[str], words: str
) -> None:
    assert words in framebrush("styles", *arguments, code=1).stderr
    assert library.names() == []


def test_an_unknown_style_is_refused_before_the_upload(
    framebrush: Command, library: Library, settings: Settings, tmp_path: Path
) -> None:
    library.write_catalogue(Catalogue(models=OURS))
    (tmp_path / "film.mp4").write_bytes(b"frames")
    assert "did you mean starry?" in framebrush("submit", "film.mp4", "--style", "stary", code=1).stderr
    assert list(AzureBlobs(settings).list(settings.input_container)) == []


@pytest.fixture
def learner(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Learner]:
    """The learner, whose networks learn in seconds."""
    recipe = partial(Recipe, width=4, blocks=1, size=16, batch=2, natural_edge=48)
    monkeypatch.setattr(session, "Recipe", recipe)
    own = LearnerSettings(**settings.model_dump(), device="cpu")
    sandbox = Sandbox(2000)
    yield Learner(AzureBlobs(settings), own, sandbox)
    sandbox.close()


def take(settings: Settings) -> Message:
    """The one message of the queue."""
    with connect(settings) as client, client.get_queue_receiver("learnings") as receiver:
        [received] = receiver.receive_messages(1, max_wait_time=5)
        receiver.complete_message(received)
    return decode("learnings", body_of(received), input_container="input")  # type: ignore[return-value]


def test_a_picture_is_learned(
    framebrush: Command, settings: Settings, library: Library, learner: Learner, tmp_path: Path
) -> None:
    (tmp_path / "wave.png").write_bytes(painting(1))
    make_video(tmp_path / "film.mp4", size=(64, 48), pts=range(0, 3072, 512))
    command = ("styles", "learn", "wave.png", "--content", "film.mp4", "--steps", "10", "--title", "A wave")
    assert "wave: queued" in framebrush(*command).stdout
    request = take(settings)
    assert isinstance(request, LearnRequest)
    assert (request.name, request.steps, request.content[0].name) == ("wave", 10, "film.mp4")
    jobs = LearningJobs(AzureBlobs(settings), settings.styles_container)
    [turn] = learner(request)
    assert isinstance(turn, LearningTurn)
    assert "learning" in framebrush("styles", "list").stdout
    assert "learning, step 0 of 10; preparing" in framebrush("styles", "show", "wave").stdout
    assert "its learning ends" in framebrush("styles", "remove", "wave").stdout
    assert list(learner(turn)) == []
    framebrush(*command)  # It goes on with what was ended.
    turn = take(settings)
    assert isinstance(turn, LearningTurn)
    assert list(learner(turn)) == []
    assert jobs.status(turn.job).state is LearningState.SUCCEEDED
    assert "wave: succeeded, step 10 of 10" in framebrush(*command, "--wait").stdout
    framebrush("styles", "show", "wave", "--preview", "preview.png")
    assert (tmp_path / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert "the library has a style wave" in framebrush(*command, "--seed", "1", code=1).stderr
    assert library.names() == ["wave"]
