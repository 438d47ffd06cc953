from .names import frames_of as frames_of
from .progress import is_encoded as is_encoded
from .progress import is_scored as is_scored
from .progress import measure as measure
from .progress import work_metadata as work_metadata
from .runs import Runs as Runs
from .runs import unchanged as unchanged
