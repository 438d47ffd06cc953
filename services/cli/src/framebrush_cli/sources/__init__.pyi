from .local import LocalFile as LocalFile
from .pictures import write_pictures as write_pictures
from .source import Source as Source
from .source import file_name as file_name
from .source import is_address as is_address
from .source import opened_source as opened_source
