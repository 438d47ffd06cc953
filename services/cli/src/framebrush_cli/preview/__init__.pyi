from .frames import Film as Film
from .frames import RgbImage as RgbImage
from .frames import Still as Still
from .frames import read_stills as read_stills
from .painted import Painted as Painted
from .painting import Studio as Studio
from .result import Preview as Preview
from .sheet import upright as upright
