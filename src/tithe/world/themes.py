"""What the databases of records tasks are about, apart for the two splits."""

import msgspec

from tithe.world.task import Split


class Theme(msgspec.Struct, frozen=True):
    """A table with a name column, one column of kinds and two of numbers; `kinds` are its values.

    `one` and `many` name a row and several in a goal.
    """

    table: str
    one: str
    many: str
    kind: str
    kinds: tuple[str, ...]
    numbers: tuple[str, str]


THEMES: dict[Split, tuple[Theme, ...]] = {
    "train": (
        Theme("products", "product", "products", "shelf", ("upper", "middle", "lower"), ("qty", "price")),
        Theme("players", "player", "players", "team", ("red", "blue", "green"), ("points", "games")),
        Theme("books", "book", "books", "genre", ("crime", "poetry", "history"), ("pages", "copies")),
        Theme("rooms", "room", "rooms", "floor", ("first", "second", "third"), ("beds", "rate")),
        Theme("orders", "order", "orders", "status", ("open", "paid", "sent"), ("amount", "parts")),
        Theme("plants", "plant", "plants", "bed", ("north", "south", "west"), ("height", "age")),
        Theme("tickets", "ticket", "tickets", "state", ("new", "waiting", "closed"), ("hours", "priority")),
        Theme("courses", "course", "courses", "term", ("spring", "summer", "winter"), ("seats", "credits")),
        Theme("cars", "car", "cars", "fuel", ("petrol", "diesel", "gas"), ("doors", "power")),
        Theme("songs", "song", "songs", "mood", ("happy", "sad", "calm"), ("length", "plays")),
        Theme("animals", "animal", "animals", "pen", ("large", "small", "outer"), ("weight", "meals")),
        Theme("members", "member", "members", "level", ("basic", "plus", "full"), ("visits", "fee")),
    ),
    "held_out": (
        Theme("parcels", "parcel", "parcels", "zone", ("east", "inner", "far"), ("mass", "value")),
        Theme("boats", "boat", "boats", "harbour", ("old", "main", "little"), ("crew", "speed")),
        Theme("meals", "meal", "meals", "diet", ("vegan", "fish", "meat"), ("salt", "portions")),
        Theme("trees", "tree", "trees", "park", ("city", "river", "hill"), ("width", "fruits")),
    ),
}

# {many}, {one}: rows; {num}: a number column; {cond}: which rows, as in CONDITIONS; {value}: a number;
# {kind}, {to}: the kind column and its new value; {name}: a row's name.
WORDINGS: dict[Split, dict[str, tuple[str, ...]]] = {
    "train": {
        "count": (
            "How many {many} {cond} are there?",
            "Count the {many} {cond}.",
            "What is the number of {many} {cond}?",
            "I want to know how many {many} {cond} we have.",
        ),
        "total": (
            "What is the total {num} of the {many} {cond}?",
            "Add up the {num} of all {many} {cond}.",
            "Sum the {num} of the {many} {cond}.",
            "How much {num} do the {many} {cond} have together?",
        ),
        "highest": (
            "What is the highest {num} of the {many} {cond}?",
            "Find the largest {num} among the {many} {cond}.",
            "Of the {many} {cond}, give me the highest {num}.",
        ),
        "lowest": (
            "What is the lowest {num} of the {many} {cond}?",
            "Find the smallest {num} among the {many} {cond}.",
            "Of the {many} {cond}, give me the lowest {num}.",
        ),
        "set": (
            "Set the {num} of the {many} {cond} to {value}.",
            "Change the {num} to {value} for the {many} {cond}.",
            "The {many} {cond} should have {num} {value}. Change that.",
            "Make the {num} {value} for all {many} {cond}.",
        ),
        "raise": (
            "Raise the {num} of the {many} {cond} by {value}.",
            "Add {value} to the {num} of the {many} {cond}.",
            "The {many} {cond} get {value} more {num}. Change that.",
            "Increase the {num} by {value} for all {many} {cond}.",
        ),
        "move": (
            "Set the {kind} of the {many} {cond} to {to}.",
            "Move the {many} {cond} to {kind} {to}.",
            "The {many} {cond} now have {kind} {to}. Change that.",
            "Change the {kind} to {to} for all {many} {cond}.",
        ),
        "remove": (
            "Remove the {many} {cond}.",
            "Delete all {many} {cond}.",
            "The {many} {cond} are gone. Delete them.",
            "Take the {many} {cond} out of the table.",
        ),
        "add": (
            "Add the {one} {name} with {kind} {to}, {numbers}.",
            "There is a new {one}: {name}, {kind} {to}, {numbers}. Add it.",
            "Insert a {one} {name}: {kind} {to}, {numbers}.",
        ),
    },
    "held_out": {
        "count": ("Tell me how many {many} {cond} there are.", "Find the number of {many} {cond}."),
        "total": (
            "Tell me the {num} of all {many} {cond} together.",
            "Find the total {num} of {many} {cond}.",
        ),
        "highest": (
            "Tell me the highest {num} that {many} {cond} have.",
            "Which {num} is the highest of {many} {cond}?",
        ),
        "lowest": (
            "Tell me the lowest {num} that {many} {cond} have.",
            "Which {num} is the lowest of {many} {cond}?",
        ),
        "set": (
            "Give the {many} {cond} the {num} {value}.",
            "Let the {num} of all {many} {cond} be {value}.",
        ),
        "raise": (
            "Give the {many} {cond} {value} more {num}.",
            "Make the {num} of all {many} {cond} larger by {value}.",
        ),
        "move": ("Give the {many} {cond} the {kind} {to}.", "Let the {kind} of all {many} {cond} be {to}."),
        "remove": (
            "Delete the {many} {cond} from the table.",
            "We have no {many} {cond} any more. Remove them.",
        ),
    },
}

CONDITIONS: dict[Split, dict[str, tuple[str, ...]]] = {
    "train": {
        "named": ("with name {name}", "named {name}", "whose name is {name}"),
        "kind": ("with {kind} {of}", "whose {kind} is {of}", "of {kind} {of}"),
        "above": ("with {by} above {edge}", "whose {by} is more than {edge}", "with {by} over {edge}"),
        "below": ("with {by} below {edge}", "whose {by} is less than {edge}", "with {by} under {edge}"),
        "both": (
            "with {kind} {of} and {by} above {edge}",
            "whose {kind} is {of} and {by} more than {edge}",
            "of {kind} {of} with {by} over {edge}",
        ),
    },
    "held_out": {
        "named": ("that have the name {name}",),
        "kind": ("that have {kind} {of}", "in {kind} {of}"),
        "above": ("that have {by} above {edge}", "with more than {edge} {by}"),
        "below": ("that have {by} below {edge}", "with less than {edge} {by}"),
        "both": ("that have {kind} {of} and {by} above {edge}", "in {kind} {of} with more than {edge} {by}"),
    },
}

# What a goal that changes rows asks to be answered.
REPORTS: dict[Split, dict[str, tuple[str, ...]]] = {
    "train": {
        "changed": (
            " Answer with how many rows changed.",
            " Finish with the number of changed rows.",
        ),
        "total": (
            " Then answer with the total {num} of all {many}.",
            " Finish with the sum of {num} over all {many} after that.",
        ),
        "count": (
            " Then answer with how many {many} there are now.",
            " Finish with the number of {many} after that.",
        ),
    },
    "held_out": {
        "changed": (" Tell how many rows changed.",),
        "total": (" Then tell the total {num} of all {many}.",),
        "count": (" Then tell how many {many} there are.",),
    },
}
