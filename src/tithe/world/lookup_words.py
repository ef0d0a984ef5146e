"""The wordings of lookup tasks, apart for the two splits.

In a wording, `{list}` is the items (with their counts, where they have some), `{last}` the item that
is taken away, `{field}` what is asked of them, `{where}` " at" a place or nothing.
"""

from tithe.world.phrases import COMMAND_ASKS, NOUN_ASKS, QUESTION_ASKS, phrased
from tithe.world.task import Split

_WRITTEN: dict[Split, dict[str, tuple[str, ...]]] = {
    "train": {
        "total": (
            "What is the total {field} of {list}{where}?",
            "Add up the {field} of {list}{where}.",
            "How much is the {field} of {list} together{where}?",
            "Sum the {field} of {list}{where}.",
            "I need the combined {field} of {list}{where}.",
            "Give me the {field} of {list}{where}, added up.",
            "Take {list}{where}: what is their {field} in total?",
            "What do {list}{where} make together in {field}?",
            "Find the sum of the {field} of {list}{where}.",
            "For {list}{where}, what is the {field} all in all?",
            "Please total the {field} of {list}{where}.",
            "Can you tell what {field} {list} have in all{where}?",
            "Say how much {field} there is when {list} are put together{where}.",
            "{list}{where}: I want the {field} of all of them as one number.",
            "Let me know the sum of {field} for {list}{where}.",
            "If you add the {field} of {list}{where}, which number do you get?",
            "Count together the {field} of {list}{where}.",
            "Which number is the {field} of {list} in total{where}?",
            "The {field} of {list} is to be added{where}. What is it?",
            "Work out what {list}{where} come to in {field}.",
            "You have {list}{where}. What total {field} is it?",
            "Look up the {field} of {list}{where} and add.",
        ),
        "difference": (
            "How much more is the {field} of {list} than that of {last}{where}?",
            "What is the {field} of {list} minus the {field} of {last}{where}?",
            "By how much is the {field} of {list} above that of {last}{where}?",
            "Take the {field} of {last} from the {field} of {list}{where}.",
            "Find the difference in {field}: {list} less {last}{where}.",
            "The {field} of {list} is larger than that of {last}{where}. By how much?",
            "Subtract the {field} of {last} from that of {list}{where}.",
            "Say how much larger the {field} of {list} is than the {field} of {last}{where}.",
            "Can you tell by how much {list} are ahead of {last} in {field}{where}?",
            "Please take away the {field} of {last} from that of {list}{where}.",
            "What remains of the {field} of {list} without that of {last}{where}?",
            "Let me know how far the {field} of {list} is above that of {last}{where}.",
            "Compare {list} with {last}{where}: how much more {field} is there?",
            "I want to know what {list} have over {last} in {field}{where}.",
            "{list} against {last}{where}: which difference in {field} is it?",
            "When you subtract the {field} of {last} from the {field} of {list}{where}, what is left?",
            "Work out the {field} of {list} less the {field} of {last}{where}.",
        ),
        "cost": (
            "What is the {field} of {list}{where}?",
            "I take {list}{where}. What {field} is that?",
            "How much {field} do {list} have{where}?",
            "Work out the {field} of {list}{where}.",
            "We need {list}{where}: find the {field}.",
            "The {field} is given for each. What is it for {list}{where}?",
            "Give me the {field} for {list}{where}.",
            "Find what {list} make in {field}{where}.",
            "Please find the {field} of {list}{where}.",
            "Can you tell how much {field} is in {list}{where}?",
            "Say what {list} come to in {field}{where}.",
            "I have {list}{where}. How much {field} is it?",
            "Let me know the {field} when I take {list}{where}.",
            "Which {field} is it for {list}{where}?",
            "Look up the {field} of one and work it out for {list}{where}.",
            "How much is it in {field} for {list}{where}?",
            "We take {list}{where} and want the {field}.",
            "If I need {list}{where}, what is the {field}?",
        ),
        "balance": (
            "What is the {field} of {list} together, less that of {last}{where}?",
            "Add the {field} of {list}{where}, then subtract that of {last}.",
            "Sum the {field} of {list} and take away that of {last}{where}.",
            "From the total {field} of {list} take that of {last}{where}.",
            "How much more is the {field} of {list} in total than that of {last}{where}?",
            "Find the {field} of {list} added up, minus the {field} of {last}{where}.",
            "Please add the {field} of {list}{where} and take off that of {last}.",
            "Say what the {field} of {list} makes when that of {last} is taken away{where}.",
            "Can you tell the {field} of {list} together without that of {last}{where}?",
            "What remains of the {field} of {list} when you subtract that of {last}{where}?",
            "Let me know the total {field} of {list}{where}, {last} subtracted.",
            "Work out {list} together less {last}, in {field}{where}.",
            "Put together the {field} of {list}{where}; then take the {field} of {last} from it.",
            "I want the {field} of {list} summed, with {last} taken off{where}.",
            "Look up {field}: {list} added up, {last} taken away{where}.",
            "Total the {field} of {list}{where} and subtract what {last} have.",
        ),
    },
    "held_out": {
        "total": (
            "Tell me the {field} of {list} in total{where}.",
            "Which {field} do {list} have together{where}?",
            "What is the {field} when you add {list}{where}?",
        ),
        "difference": (
            "Tell me how much the {field} of {list} is above the {field} of {last}{where}.",
            "What is left when the {field} of {last} is taken from that of {list}{where}?",
        ),
        "cost": (
            "Tell me the {field} that {list} make{where}.",
            "For {list}{where}, how much is the {field}?",
            "I need {list}{where}. Find their {field}.",
        ),
        "balance": (
            "Tell me the {field} of {list} added up, with that of {last} taken away{where}.",
            "Find the total {field} of {list}{where}, then take away the {field} of {last}.",
        ),
    },
}

_NOUNS = {
    "total": (
        "the total {field} of {list}{where}",
        "the sum of the {field} of {list}{where}",
        "the {field} of {list} added up{where}",
        "the {field} of {list} all together{where}",
        "the combined {field} of {list}{where}",
        "the {field} that {list} have together{where}",
        "the {field} when {list} are put together{where}",
        "the {field} that {list} come to in total{where}",
    ),
    "difference": (
        "the {field} of {list} less that of {last}{where}",
        "the {field} of {list} minus the {field} of {last}{where}",
        "the difference in {field} between {list} and {last}{where}",
        "the {field} that {list} have more than {last}{where}",
    ),
    "cost": (
        "the {field} of {list}{where}",
        "the {field} for {list}{where}",
        "the {field} that {list} have{where}",
        "the {field} when we take {list}{where}",
        "the {field} that {list} come to{where}",
    ),
    "balance": (
        "the {field} of {list} together, less that of {last}{where}",
        "the total {field} of {list} minus that of {last}{where}",
        "the {field} of {list} added up, without that of {last}{where}",
        "the sum of the {field} of {list}, with that of {last} subtracted{where}",
        "the {field} that {list} have together when that of {last} is taken off{where}",
    ),
}
_QUESTIONS = {
    "total": (
        "which {field} {list} have in total{where}",
        "what {field} {list} make together{where}",
        "how much {field} {list} have all in all{where}",
        "what the {field} of {list} is when it is added{where}",
    ),
    "difference": (
        "what remains when the {field} of {last} is subtracted from that of {list}{where}",
        "by how much the {field} of {list} is above that of {last}{where}",
        "how much larger the {field} of {list} is than that of {last}{where}",
        "what is left of the {field} of {list} without that of {last}{where}",
        "how much more {field} {list} have than {last}{where}",
        "how far the {field} of {list} is above that of {last}{where}",
        "what is left when that of {last} is subtracted from the {field} of {list}{where}",
    ),
    "cost": (
        "how much the {field} is for {list}{where}",
        "how much {field} {list} have{where}",
        "which {field} it is for {list}{where}",
        "what {field} {list} make{where}",
        "how much it is in {field} for {list}{where}",
    ),
    "balance": (
        "what remains of the total {field} of {list} without that of {last}{where}",
        "how much more {field} {list} have together than {last}{where}",
        "what {field} is left of {list} together when that of {last} is subtracted{where}",
    ),
}
_COMMANDS = {
    "total": ("add up the {field} of {list}{where}", "put the {field} of {list} together{where}"),
    "difference": (
        "subtract the {field} of {last} from that of {list}{where}",
        "take the {field} of {last} off that of {list}{where}",
    ),
    "cost": ("work out the {field} of {list}{where}",),
    "balance": (
        "add the {field} of {list} and subtract that of {last}{where}",
        "add up the {field} of {list}{where}, then take off that of {last}",
    ),
}


def _wordings(manner: str, split: Split) -> tuple[str, ...]:
    """Those that are written out; for training those of all asks and parts as well."""
    written, but = _WRITTEN[split][manner], _WRITTEN["held_out"][manner]
    if split == "held_out":
        return written
    made = (
        *phrased(NOUN_ASKS, _NOUNS[manner], but=but),
        *phrased(QUESTION_ASKS, _QUESTIONS[manner], but=but),
        *phrased(COMMAND_ASKS, _COMMANDS[manner], but=but),
    )
    return tuple(dict.fromkeys((*written, *made)))


WORDINGS: dict[Split, dict[str, tuple[str, ...]]] = {
    split: {manner: _wordings(manner, split) for manner in manners} for split, manners in _WRITTEN.items()
}

CLOSERS: dict[Split, tuple[str, ...]] = {
    "train": (
        "",
        "",
        " Answer with the number.",
        " Finish with one number.",
        " The files have it.",
        " Look in the files.",
        " Give the number when you finish.",
        " It can be found there.",
    ),
    "held_out": ("", " Finish with the number.", " It is in the files."),
}

FIELDS: dict[Split, tuple[str, ...]] = {
    "train": (
        "price",
        "weight",
        "volume",
        "length",
        "score",
        "stock",
        "size",
        "load",
        "value",
        "width",
        "power",
    ),
    "held_out": ("height", "charge", "mass", "area"),
}

NOTES: dict[Split, tuple[str, ...]] = {
    "train": (
        "The {field} of {item} is {value}.",
        "{item}: the {field} is {value}.",
        "For {item} the {field} is {value}.",
        "The {item} have {field} {value}.",
        "As to {field}, {item} have {value}.",
        "{value} is the {field} of {item}.",
        "Their {field} is {value}, it says of {item}.",
        "We know that {item} have {value} for {field}.",
        "{item} come with a {field} of {value} each.",
    ),
    "held_out": ("{item} have a {field} of {value}.", "The {field} for {item} is {value}."),
}
