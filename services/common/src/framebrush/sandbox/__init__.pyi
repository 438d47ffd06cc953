from .child import SandboxedFile as SandboxedFile
from .host import Allowance as Allowance
from .host import Sandbox as Sandbox
from .host import TaskFailed as TaskFailed
