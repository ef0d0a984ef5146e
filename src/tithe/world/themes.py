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
