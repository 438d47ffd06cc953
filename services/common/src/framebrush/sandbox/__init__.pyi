from .child import SandboxedFile as SandboxedFile
from .host import Sandbox as Sandbox
from .process import Allowance as Allowance
from .verdicts import TaskFailed as TaskFailed
