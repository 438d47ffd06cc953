from .networks import NoPictureNetwork as NoPictureNetwork
from .networks import network_file as network_file
from .picture import InvalidPicture as InvalidPicture
from .picture import PictureSquare as PictureSquare
from .picture import read_square as read_square
from .prediction import blend as blend
from .prediction import predict as predict
from .signatures import looks_like_a_picture as looks_like_a_picture
