"""What is wrong with a rule, said so that whoever wrote it can put it right. No I/O, no framework."""


class RuleFault(ValueError):
    """A value that no rule may hold. field: where it stands; grammar: its form is wrong, not its bounds."""

    def __init__(self, field: str, message: str, *, grammar: bool = True) -> None:
        super().__init__(message)
        self.field, self.message, self.grammar = field, message, grammar


def check_text(field: str, text: object, *, longest: int, least: int = 1) -> str:
    """A text of people, stripped; RuleFault for control characters and other lengths. Emoji are fine."""
    if not isinstance(text, str):
        raise RuleFault(field, f"{field}: must be text", grammar=False)
    text = text.strip()
    if not least <= len(text) <= longest:
        raise RuleFault(field, f"{field}: must be {least} to {longest} characters", grammar=False)
    # Bidirectional overrides would let a name read as another one.
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in _UNSEEN for c in text):
        raise RuleFault(field, f"{field}: holds a control character", grammar=False)
    return text


_UNSEEN = frozenset(
    "\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
