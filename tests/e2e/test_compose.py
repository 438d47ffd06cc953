"""Everything on one machine with Docker Compose, by the commands that stand in k8s/compose.yaml."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.clips import demo
from support.video import facts, frames, psnr

pytestmark = [pytest.mark.core, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^# {3}(docker compose .*)$", (ROOT / "k8s/compose.yaml").read_text(), re.MULTILINE)
COMPOSE = "docker compose --file k8s/compose.yaml"


def has_compose() -> bool:
    """Return whether Docker has the plugin, which not every package of Docker brings."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="Docker has no plugin `compose`")
def test_a_film_is_painted_and_the_stack_comes_back_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("k8s", "services"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    film = demo(tmp_path / "film.mp4", width=320)
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "framebrush-test")

    def run(command: str) -> str:
        done = subprocess.run(command, shell=True, cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    assert len(COMMANDS) == 3
    try:
        for command in COMMANDS:
            run(command)
        before, after = film.read_bytes(), (tmp_path / "styled.mp4").read_bytes()
        assert facts(after) == facts(before)
        assert psnr(frames(before)[0], frames(after)[0]) < 25  # it is painted
        run(f"{COMPOSE} stop")
        run(COMMANDS[0])
        assert "succeeded" in run(f"{COMPOSE} run --rm framebrush runs")
    finally:
        run(f"{COMPOSE} down --volumes")
