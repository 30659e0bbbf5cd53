"""Unified social credit codes (统一社会信用代码, GB 32100-2015): 18 characters with a check digit."""

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Without I, O, S, V and Z, which look like digits."""


def credit_code_valid(code: str) -> bool:
    """Whether the code is complete and its check digit (weights 3^i mod 31) is right."""
    if len(code) != 18 or any(char not in ALPHABET for char in code):
        return False
    total = sum(ALPHABET.index(char) * pow(3, at, 31) for at, char in enumerate(code[:17]))
    return ALPHABET[(31 - total % 31) % 31] == code[17]
