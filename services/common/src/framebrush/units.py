"""Figures with their units, as text for people."""


def duration(seconds: float) -> str:
    """Return a time as text: ``250 ms``, ``7.3 s``, ``42 s``, ``3 min 05 s``, ``2 h 07 min``."""
    if round(seconds, 3) < 1:
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def size(count: float) -> str:
    """Return a number of bytes as text: ``999 B``, ``1.5 kB``, ``2.0 MB``, ``5.50 GB``."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB"):
        count /= 1000
        if round(count, 1) < 1000:
            return f"{count:.1f} {unit}"
    return f"{count / 1000:.2f} GB"


def money(value: float) -> str:
    """Return an amount to two digits, or to the cent if there are units of the currency."""
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}" if value >= 1e-4 else f"{value:.6f}"
