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
        ),
        "difference": (
            "How much more is the {field} of {list} than that of {last}{where}?",
            "What is the {field} of {list} minus the {field} of {last}{where}?",
            "By how much is the {field} of {list} above that of {last}{where}?",
            "Take the {field} of {last} from the {field} of {list}{where}.",
            "Find the difference in {field}: {list} less {last}{where}.",
            "The {field} of {list} is larger than that of {last}{where}. By how much?",
            "Subtract the {field} of {last} from that of {list}{where}.",
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
        ),
        "balance": (
            "What is the {field} of {list} together, less that of {last}{where}?",
            "Add the {field} of {list}{where}, then subtract that of {last}.",
            "Sum the {field} of {list} and take away that of {last}{where}.",
            "From the total {field} of {list} take that of {last}{where}.",
            "How much more is the {field} of {list} in total than that of {last}{where}?",
            "Find the {field} of {list} added up, minus the {field} of {last}{where}.",
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
    "train": ("", "", " Answer with the number.", " Finish with one number.", " The files have it."),
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
    ),
    "held_out": ("{item} have a {field} of {value}.", "The {field} for {item} is {value}."),
}
