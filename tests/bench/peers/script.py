"""A plain script: ffmpeg, onnxruntime, ffmpeg. Usage: script.py MODEL FILM OUTPUT."""

import sys

from films import read, write
from session import Painter

if __name__ == "__main__":
    model, film, output = sys.argv[1:]
    write(output, film, map(Painter(model), read(film)))
