from .comparison import LEAST_KNOWN as LEAST_KNOWN
from .comparison import NotComparable as NotComparable
from .comparison import compare as compare
from .comparison import read_frames as read_frames
from .metrics import detail as detail
from .metrics import style_strength as style_strength
from .metrics import warp_error as warp_error
