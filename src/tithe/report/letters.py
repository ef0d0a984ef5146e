"""What the endpoints of a comparison are called."""


def letter(place: int) -> str:
    """A for the first, B, C, ... after it."""
    return chr(ord("A") + place)
