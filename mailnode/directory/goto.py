"""What an alias leads to, as PostfixAdmin and people write it into one column."""

from __future__ import annotations


def parse_goto(goto: str) -> tuple[str, ...]:
    """The targets of an alias: PostfixAdmin separates by commas, people also by blanks and lines.

    Blanks inside a quoted local part stay.
    """
    found: list[str] = []
    current, quoted, escaped = "", False, False
    for char in goto:
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and quoted and not escaped
        if not quoted and (char == "," or char.isspace()):
            found.append(current)
            current = ""
        else:
            current += char
    found.append(current)
    return tuple(dict.fromkeys(target for target in found if target))
