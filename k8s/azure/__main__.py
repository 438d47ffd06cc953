"""The program that ``pulumi up`` runs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("src")))

import pulumi
from pydantic import ValidationError

from framebrush_azure.program import Program
from framebrush_azure.settings import described

try:
    settings = described(pulumi.Config().require_object("installation"))
except ValidationError as error:
    lines = (f"installation.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    sys.exit("\n".join(lines))
for name, output in Program(settings).outputs.items():
    pulumi.export(name, output)
