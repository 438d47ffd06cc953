from .brush import brush_size as brush_size
from .controls import Controlled as Controlled
from .controls import Controls as Controls
from .handler import Scorer as Scorer
from .scoring import score as score
from .smoothing import smooth as smooth
from .style import Style as Style
