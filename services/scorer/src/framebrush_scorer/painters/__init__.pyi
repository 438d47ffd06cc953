from .catalogue import find_painter as find_painter
from .names import PAINTERS as PAINTERS
from .strokes import lay_strokes as lay_strokes
