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
            "Say how many of the {many} are those {cond}.",
            "Please count all {many} {cond}.",
            "Can you tell the number of {many} {cond}?",
            "Let me know how many {many} there are {cond}.",
            "How large is the number of {many} {cond}?",
            "Find how many {many} {cond} the table has.",
            "Give me the count of {many} {cond}.",
            "Of all {many}, how many are there {cond}?",
            "Look up how many {many} {cond} exist.",
        ),
        "total": (
            "What is the total {num} of the {many} {cond}?",
            "Add up the {num} of all {many} {cond}.",
            "Sum the {num} of the {many} {cond}.",
            "How much {num} do the {many} {cond} have together?",
            "Say how much {num} all {many} {cond} have.",
            "Please total the {num} of {many} {cond}.",
            "Can you tell the sum of {num} over the {many} {cond}?",
            "Let me know what {num} the {many} {cond} make in total.",
            "Find what the {many} {cond} have in {num} together.",
            "Give me the {num} of the {many} {cond}, added up.",
            "I want the {num} of all {many} {cond} as one sum.",
            "Put together the {num} of the {many} {cond}.",
            "Of the {many} {cond}, which is the {num} in total?",
        ),
        "highest": (
            "What is the highest {num} of the {many} {cond}?",
            "Find the largest {num} among the {many} {cond}.",
            "Of the {many} {cond}, give me the highest {num}.",
            "Say which {num} is the largest of the {many} {cond}.",
            "Please find the top {num} of {many} {cond}.",
            "Can you tell the maximum {num} of {many} {cond}?",
            "Let me know how high the {num} of the {many} {cond} goes.",
            "Give the greatest {num} that any of the {many} {cond} has.",
            "How much is the most {num} of {many} {cond}?",
            "Among the {many} {cond}, what is the highest {num}?",
            "Look up the largest {num} that the {many} {cond} have.",
        ),
        "lowest": (
            "What is the lowest {num} of the {many} {cond}?",
            "Find the smallest {num} among the {many} {cond}.",
            "Of the {many} {cond}, give me the lowest {num}.",
            "Say which {num} is the smallest of the {many} {cond}.",
            "Please find the least {num} of {many} {cond}.",
            "Can you tell the minimum {num} of {many} {cond}?",
            "Let me know how low the {num} of the {many} {cond} goes.",
            "Give the smallest {num} that any of the {many} {cond} has.",
            "How much is the least {num} of {many} {cond}?",
            "Among the {many} {cond}, what is the lowest {num}?",
            "Look up the smallest {num} that the {many} {cond} have.",
        ),
        "set": (
            "Set the {num} of the {many} {cond} to {value}.",
            "Change the {num} to {value} for the {many} {cond}.",
            "The {many} {cond} should have {num} {value}. Change that.",
            "Make the {num} {value} for all {many} {cond}.",
            "Please set {num} to {value} for all {many} {cond}.",
            "Put the {num} of {many} {cond} at {value}.",
            "From now on the {num} of the {many} {cond} is {value}. Set it.",
            "All {many} {cond} must have the {num} {value}.",
            "Write {value} as the {num} of the {many} {cond}.",
            "Let {value} be the {num} of {many} {cond}.",
            "We want the {many} {cond} at {num} {value}. Do it.",
            "The {num} of {many} {cond} is to be {value}.",
            "Give {value} as {num} to all {many} {cond}.",
        ),
        "raise": (
            "Raise the {num} of the {many} {cond} by {value}.",
            "Add {value} to the {num} of the {many} {cond}.",
            "The {many} {cond} get {value} more {num}. Change that.",
            "Increase the {num} by {value} for all {many} {cond}.",
            "Please raise {num} by {value} for the {many} {cond}.",
            "Let the {num} of the {many} {cond} grow by {value}.",
            "Make {num} {value} higher for all {many} {cond}.",
            "The {num} of {many} {cond} goes up by {value}. Change it.",
            "Give {value} more {num} to the {many} {cond}.",
            "All {many} {cond} must have {value} more {num} than now.",
            "Put {value} on top of the {num} of {many} {cond}.",
            "We want the {num} of the {many} {cond} larger, by {value}.",
            "{value} is to be added to the {num} of {many} {cond}.",
        ),
        "move": (
            "Set the {kind} of the {many} {cond} to {to}.",
            "Move the {many} {cond} to {kind} {to}.",
            "The {many} {cond} now have {kind} {to}. Change that.",
            "Change the {kind} to {to} for all {many} {cond}.",
            "Please put the {many} {cond} in {kind} {to}.",
            "All {many} {cond} must have the {kind} {to}.",
            "From now on the {many} {cond} are of {kind} {to}. Set it.",
            "Let {to} be the {kind} of {many} {cond}.",
            "Write {to} as the {kind} of the {many} {cond}.",
            "We want the {many} {cond} in {kind} {to}. Do it.",
            "Make the {kind} {to} for the {many} {cond}.",
            "Give {to} as {kind} to all {many} {cond}.",
            "The {kind} of {many} {cond} is to be {to}.",
        ),
        "remove": (
            "Remove the {many} {cond}.",
            "Delete all {many} {cond}.",
            "The {many} {cond} are gone. Delete them.",
            "Take the {many} {cond} out of the table.",
            "Please delete the {many} {cond}.",
            "We do not need the {many} {cond}. Take them out.",
            "All {many} {cond} must go.",
            "Drop the {many} {cond} from the table.",
            "Let the {many} {cond} be removed.",
            "Get rid of all {many} {cond}.",
            "The table must have no {many} {cond} any more.",
            "Clear out {many} {cond}.",
            "From the table, remove {many} {cond}.",
        ),
        "add": (
            "Add the {one} {name} with {kind} {to}, {numbers}.",
            "There is a new {one}: {name}, {kind} {to}, {numbers}. Add it.",
            "Insert a {one} {name}: {kind} {to}, {numbers}.",
            "Please add {name} as a {one}: {kind} {to}, {numbers}.",
            "Put a {one} {name} in the table, {kind} {to}, {numbers}.",
            "We have one more {one}, {name}, with {kind} {to}, {numbers}. Add it.",
            "Write a new {one} {name} of {kind} {to}, {numbers}.",
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
        "named": (
            "with name {name}",
            "named {name}",
            "whose name is {name}",
            "called {name}",
            "which have the name {name}",
            "that are named {name}",
            "by the name of {name}",
        ),
        "kind": (
            "with {kind} {of}",
            "whose {kind} is {of}",
            "of {kind} {of}",
            "which have {kind} {of}",
            "where the {kind} is {of}",
            "that are of {kind} {of}",
            "having {kind} {of}",
            "in the {kind} {of}",
        ),
        "above": (
            "with {by} above {edge}",
            "whose {by} is more than {edge}",
            "with {by} over {edge}",
            "which have {by} over {edge}",
            "where {by} is above {edge}",
            "that have more {by} than {edge}",
            "having {by} larger than {edge}",
            "with {by} greater than {edge}",
            "with over {edge} {by}",
        ),
        "below": (
            "with {by} below {edge}",
            "whose {by} is less than {edge}",
            "with {by} under {edge}",
            "which have {by} under {edge}",
            "where {by} is below {edge}",
            "that have less {by} than {edge}",
            "having {by} smaller than {edge}",
            "with {by} lower than {edge}",
            "with under {edge} {by}",
        ),
        "both": (
            "with {kind} {of} and {by} above {edge}",
            "whose {kind} is {of} and {by} more than {edge}",
            "of {kind} {of} with {by} over {edge}",
            "which have {kind} {of} and {by} over {edge}",
            "where the {kind} is {of} and {by} is above {edge}",
            "that are of {kind} {of} and have more {by} than {edge}",
            "having {kind} {of} and {by} larger than {edge}",
            "in the {kind} {of} with over {edge} {by}",
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
            " Then answer with how many rows you changed.",
            " Say at the end how many rows changed.",
            " Give the number of rows that changed.",
            " When done, tell the number of changed rows.",
        ),
        "total": (
            " Then answer with the total {num} of all {many}.",
            " Finish with the sum of {num} over all {many} after that.",
            " Say at the end what the {num} of all {many} is together.",
            " Then give the total of {num} for all {many}.",
            " When done, tell the sum of {num} over all {many}.",
            " Answer with all the {num} of the {many} added up.",
        ),
        "count": (
            " Then answer with how many {many} there are now.",
            " Finish with the number of {many} after that.",
            " Say at the end how many {many} there are.",
            " Then give the number of {many} left in the table.",
            " When done, tell how many {many} we have.",
            " Answer with the number of {many} now.",
        ),
    },
    "held_out": {
        "changed": (" Tell how many rows changed.",),
        "total": (" Then tell the total {num} of all {many}.",),
        "count": (" Then tell how many {many} there are.",),
    },
}
