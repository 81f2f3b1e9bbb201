"""Text for a terminal: file names come from strangers and may hold what moves its cursor or changes its title."""


def printable(text: str) -> str:
    """The same text, control characters written as escapes (\\x1b)."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
