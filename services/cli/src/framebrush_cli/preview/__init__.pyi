from .frames import Film as Film
from .frames import LocalFile as LocalFile
from .frames import Still as Still
from .frames import read_stills as read_stills
from .painting import Painted as Painted
from .painting import Studio as Studio
from .sheet import contact_sheet as contact_sheet
from .sheet import picture_files as picture_files
