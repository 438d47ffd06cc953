"""The script that installs into what `pulumi up` has made. Azure's programs cannot run here: others note the calls."""

import os
import subprocess
from pathlib import Path

from provisioning.built import Built

ROOT = Path(__file__).parents[2]
NOTE = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$NOTES"
[[ "$0" != */pulumi ]] || cat "$OUTPUTS/${@: -1}"
"""


def test_it_asks_for_what_the_program_tells_and_installs_it(plain: Built, tmp_path: Path) -> None:
    programs, outputs, notes = tmp_path / "bin", tmp_path / "outputs", tmp_path / "notes"
    programs.mkdir()
    outputs.mkdir()
    for name in ("az", "pulumi", "kubectl", "docker", "helm", "make"):
        (programs / name).write_text(NOTE)
        (programs / name).chmod(0o755)
    for name, value in plain.exports.items():
        (outputs / name).write_text(f"{value}\n")
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "NOTES": str(notes), "OUTPUTS": str(outputs)}
    written = ROOT / "k8s/azure/my-names.yaml"
    try:
        done = subprocess.run(
            [ROOT / "k8s/azure/install"], env=os.environ | variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert written.read_text().strip() == plain.exports["values"].strip()
    finally:
        written.unlink(missing_ok=True)
    calls = notes.read_text().splitlines()
    assert "make push REGISTRY=framebrush.azurecr.io" in calls
    assert any("client-id=client-of-framebrush-keda" in call for call in calls)
    [helm] = [call for call in calls if call.startswith("helm ")]
    files = [word for word in helm.split() if word.endswith(".yaml")]
    assert files == ["charts/framebrush/values-aks.yaml", "k8s/azure/my-names.yaml"]
    named = {word for call in calls for word in call.split() if word.endswith(("plugin.yaml", ".json"))}
    assert len(named) >= 2
    assert all((ROOT / word).exists() for word in named)
    assert calls.index("kubectl apply --filename k8s/azure/device-plugin.yaml") < calls.index(helm)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(subprocess.check_output(["which", name], text=True).strip())
    done = subprocess.run(
        [ROOT / "k8s/azure/install"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "az is missing\n")
