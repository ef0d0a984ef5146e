"""The wordings of lookup tasks, apart for the two splits.

In a wording, `{list}` is the items (with their counts, where they have some), `{last}` the item that
is taken away, `{field}` what is asked of them, `{where}` " at" a place or nothing.
"""

from tithe.world.task import Split

WORDINGS: dict[Split, dict[str, tuple[str, ...]]] = {
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
