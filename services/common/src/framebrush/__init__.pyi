from framebrush_cli.commands.film import style as style
from framebrush_cli.commands.load import load as load

__all__ = ["load", "style"]
