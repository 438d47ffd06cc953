"""What is published: images and chart, what they are made of, their digests and signatures.

Helm is real, and pushes the chart to a registry in memory. Docker and cosign are programs that note their calls.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from chart import generate
from chart.cases import digest
from chart.generate import run
from chart.rendered import render
from support.registry import Registry, digest_of, serve

ROOT = Path(__file__).parents[2]
CHART = yaml.safe_load((generate.CHART / "Chart.yaml").read_text())
IMAGES = ("broker", "dispatcher", "splitter", "stitcher", "scorer")
NOTE = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$NOTES"
case "$(basename "$0") $1" in
  "docker image")  # the last argument is the image
    name=${@: -1}
    echo "elsewhere.io/framebrush/x@sha256:0"
    [[ "$name" != *"$UNPUSHED"* ]] || exit 0
    echo "${name%:*}@sha256:$(printf %064d 7)" ;;
  helm*) exec "$HELM" "$@" ;;
esac
"""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serve() as registry:
        yield registry


def publish(
    folder: Path, registry: Registry, *programs: str, unpushed: str = "nothing"
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Publish with these programs; what it says, and the calls."""
    found = folder / "bin"
    found.mkdir()
    for name in ("bash", "basename", "cat", "dirname", "env", "head", "mkdir", "printf", "sed", "tee"):
        (found / name).symlink_to(str(shutil.which(name)))
    for name in programs:
        (found / name).write_text(NOTE)
        (found / name).chmod(0o755)
    notes = folder / "notes"
    notes.touch()
    variables = {
        "PATH": str(found), "HOME": os.environ["HOME"], "NOTES": str(notes), "HELM": str(shutil.which("helm")),
        "UNPUSHED": unpushed, "REGISTRY": registry.host, "TAG": "1.2.3", "DIST": str(folder / "dist"),
        "HELM_PUSH_FLAGS": "--plain-http",
    }  # fmt: skip
    done = subprocess.run([ROOT / "k8s/publish", *IMAGES], env=variables, capture_output=True, text=True, check=False)
    return done, notes.read_text().splitlines()


def test_all_is_pushed_and_signed_by_digest(tmp_path: Path, registry: Registry) -> None:
    done, calls = publish(tmp_path, registry, "docker", "helm", "cosign")
    assert done.returncode == 0, done.stderr
    digest = f"sha256:{7:064d}"
    for name in IMAGES:
        image = f"{registry.host}/framebrush/{name}@{digest}"
        assert f"cosign sign --yes {image}" in calls
        statement = f"{tmp_path}/dist/sbom/{name}.cdx.json"
        assert f"cosign attest --yes --type cyclonedx --predicate {statement} {image}" in calls
    _, manifest = registry.manifests["charts/framebrush", CHART["version"]]
    assert calls[-1] == f"cosign sign --yes {registry.host}/charts/framebrush@{digest_of(manifest)}"


def test_the_chart_can_be_pulled(tmp_path: Path, registry: Registry) -> None:
    done, _ = publish(tmp_path, registry, "docker", "helm")
    assert done.returncode == 0, done.stderr
    name = f"oci://{registry.host}/charts/framebrush"
    pulled = run("helm", "pull", name, "--version", CHART["version"], "--plain-http", "--destination", tmp_path)
    assert pulled.returncode == 0, pulled.stderr
    with tarfile.open(tmp_path / f"framebrush-{CHART['version']}.tgz") as chart:
        content = chart.extractfile("framebrush/Chart.yaml")
        assert content is not None
        assert yaml.safe_load(content.read()) == {**CHART, "appVersion": "1.2.3"}


def test_the_values_name_the_images_by_their_digests(tmp_path: Path, registry: Registry) -> None:
    done, _ = publish(tmp_path, registry, "docker", "helm")
    assert done.returncode == 0, done.stderr
    values = yaml.safe_load((tmp_path / "dist/images.yaml").read_text())
    assert values["image"]["digests"].keys() == set(IMAGES)
    rendered = render("", {f"image.{key}": value for key, value in values["image"].items()})
    for _, pod in rendered.pods():
        for container in pod["spec"]["containers"]:
            assert re.fullmatch(rf"{registry.host}/framebrush/[a-z]+(:1\.2\.3)?@sha256:0+7", container["image"])


def test_without_cosign_it_says_that_nothing_is_signed(tmp_path: Path, registry: Registry) -> None:
    done, calls = publish(tmp_path, registry, "docker", "helm")
    assert done.returncode == 0, done.stderr
    assert "cosign is missing: nothing is signed" in done.stderr
    assert not [call for call in calls if call.startswith("cosign")]
    assert ("charts/framebrush", CHART["version"]) in registry.manifests


def test_an_image_that_was_not_pushed_is_named(tmp_path: Path, registry: Registry) -> None:
    done, calls = publish(tmp_path, registry, "docker", "helm", "cosign", unpushed="splitter")
    assert done.returncode == 1
    assert f"{registry.host}/framebrush/splitter:1.2.3 has no digest: push it first" in done.stderr
    assert not [call for call in calls if call.startswith("helm")]
    assert not registry.manifests


def test_a_program_that_is_missing_is_named(tmp_path: Path, registry: Registry) -> None:
    done, _ = publish(tmp_path, registry, "docker")
    assert (done.returncode, done.stderr) == (1, "helm is missing\n")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_publish_needs_a_registry() -> None:
    done = make("publish")
    assert done.returncode
    assert "push needs REGISTRY=NAME.azurecr.io" in done.stderr


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    done = make("sbom", f"DIST={folder}")
    assert done.returncode == 0, done.stderr
    return folder / "sbom"


def dockerfile(image: str) -> str:
    return (ROOT / ("tests" if image == "broker" else "services") / image / "Dockerfile").read_text()


@pytest.mark.parametrize("image", IMAGES)
def test_an_sbom_has_what_the_image_installs(sbom: Path, image: str) -> None:
    document = json.loads((sbom / f"{image}.cdx.json").read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    [command] = re.findall(
        r"/tools/bin/(uv export .*?--package .*?)(?: --output-file|\")", dockerfile(image).replace("\\\n", "")
    )
    uv = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    done = subprocess.run([uv, *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True)
    locked = set(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", done.stdout, re.MULTILINE))
    assert len(locked) >= 3
    found = {(each["name"], each["version"]) for each in document["components"] if "purl" in each}
    assert found == locked
    own = {each["name"] for each in [*document["components"], document["metadata"]["component"]] if "purl" not in each}
    assert f"framebrush-{image}" in own
    hashed = [each for each in document["components"] if "purl" in each]
    assert all(each["externalReferences"][0]["hashes"][0]["alg"] == "SHA-256" for each in hashed)


@pytest.mark.parametrize("image", IMAGES)
def test_the_base_of_an_image_can_be_given_by_digest(image: str) -> None:
    text = dockerfile(image)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) - stages - {"scratch"}
    assert bases == {"$PYTHON_IMAGE"}
    assert re.findall(r"^ARG PYTHON_IMAGE=(\S+)", text, re.MULTILINE) == ["python:3.11-slim-bookworm"]
    base = f"python:3.11-slim-bookworm@{digest('a')}"
    done = make("--dry-run", f"image-{image}", f"PYTHON_IMAGE={base}")
    assert f'--build-arg PYTHON_IMAGE="{base}"' in done.stdout
    assert "PYTHON_IMAGE" not in make("--dry-run", f"image-{image}").stdout
