from .generator import generate as generate
from .like import LikeTeacher as LikeTeacher
from .picture import PictureTeacher as PictureTeacher
from .recipe import Recipe as Recipe
from .teachers import PainterTeacher as PainterTeacher
from .trainer import Trainer as Trainer
from .vgg import read_vgg as read_vgg
