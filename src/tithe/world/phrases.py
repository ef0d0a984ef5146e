"""Many wordings of one wish: each way to ask with each way to name what is asked for.

Theory. A model that has met fifteen wordings of a wish knows those fifteen sentences; one that has met the
same nouns behind many beginnings, and many nouns behind the same beginning, has to read the sentence in
parts, which is what a wording of the held-out split asks of it.
"""

from collections.abc import Sequence

NOUN_ASKS = (
    "What is {}?",
    "Find {}.",
    "Give me {}.",
    "Let me know {}.",
    "I need {}.",
    "Look up {}.",
    "Say what {} is.",
    "Can you find {}?",
    "We want to know {}.",
    "Work out {}.",
    "Please find out {}.",
    "Show me {}.",
)
"""Before and after what names a value: `the total {num} of the {many}`."""

QUESTION_ASKS = (
    "Say {}.",
    "Tell {}.",
    "I want to know {}.",
    "Let me know {}.",
    "Can you tell {}?",
    "Find out {}.",
    "Look up {}.",
    "Please say {}.",
    "We need to know {}.",
    "Work out {}.",
)
"""Before and after a question within a sentence: `how many {many} there are`."""

COMMAND_ASKS = (
    "{}.",
    "Please {}.",
    "Now {}.",
    "We need you to {}.",
    "Can you {}?",
    "I want you to {}.",
    "Your task is to {}.",
    "It is time to {}.",
)
"""Around what is to be done: `set the {num} of the {many} to {value}`."""


def phrased(asks: Sequence[str], parts: Sequence[str], *, but: Sequence[str] = ()) -> tuple[str, ...]:
    """Every part in every ask, in order, the first letter large; without those in `but`."""
    made = [ask.replace("{}", part, 1) for part in parts for ask in asks]
    # `capitalize` would make the rest small.
    whole = [wording[:1].upper() + wording[1:] for wording in made]
    return tuple(wording for wording in dict.fromkeys(whole) if wording not in but)
