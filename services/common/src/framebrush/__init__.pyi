from framebrush_cli.commands.film import style as style
from framebrush_scorer.pipeline import load_style as load

__all__ = ["load", "style"]
