"""``make dashboards``: makes the chart's Grafana dashboards. Grafana 11.6 and newer read them."""

import argparse
from pathlib import Path

from boards.operators import operators
from boards.throughput import throughput

FOLDER = Path(__file__).parents[2] / "charts" / "framebrush" / "dashboards"
BOARDS = {"operators.json": operators, "throughput.json": throughput}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="where to write them")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in BOARDS.items():
        make().write(folder / name)


if __name__ == "__main__":
    main()
