"""How well a styled video holds still, and how much style it has."""
