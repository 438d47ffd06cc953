from .azure import BLOCK as BLOCK
from .azure import AzureBlobs as AzureBlobs
from .memory import MemoryStore as MemoryStore
from .reader import BlobReader as BlobReader
from .seekable import SeekableFile as SeekableFile
from .settings import StorageSettings as StorageSettings
from .store import BlobInfo as BlobInfo
from .store import Store as Store
