"""Names, and which of them belong to which split.

A name belongs to the held-out split when its checksum says so, whichever list or syllables it came
from: so no name can be in both, and lists may grow without anyone keeping them apart by hand.
"""

import random
import zlib
from collections.abc import Sequence

from tithe.world.task import Split

THINGS = """
acorns almonds anchors apples apricots arrows axes badges bags balls bananas barrels baskets batteries beads beans bells
belts berries blankets boards boats bolts bones books boots bottles bowls boxes bricks brooms brushes buckets buns
buttons cables cakes candles canes caps cards carpets carrots carts chains chairs cherries chests chisels clips clocks
coats coins combs cones cookies corks crates crowns cups curtains cushions dates desks dishes dolls doors drums eggs
envelopes fans feathers figs files flags flasks flowers forks frames gates gears gems glasses globes gloves goggles
grapes hammers handles hats hinges hooks horns hoses irons jackets jars jewels jugs kettles keys kites knives knobs
labels ladders lamps leaves lemons lenses levers limes locks logs magnets maps marbles masks mats melons mirrors mugs
nails napkins needles nets nuts oars olives onions onyxes oranges ovens paddles pails paints pans papers peaches pears
pebbles pegs pencils pens peppers pillows pins pipes planks plates plums poles posts pots presses prunes pumps quilts
racks radios rafts rakes reels ribbons rings robes rockets rods ropes rugs rulers sacks saddles sails saws scales
scarves screens screws seeds shells shelves shirts shoes shovels signs skates sleds slippers soaps socks spades spikes
sponges spoons springs stamps stools stoves straps strings tables tacks tapes tents tiles tins tires tools torches
towels toys trays trunks tubes turnips umbrellas valves vases vests violins wagons walnuts watches wheels whistles wires
yams zippers
""".split()

_ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z".split()
_VOWELS = "a e i o u ai ea oo".split()
_CODAS = ("", "", "l", "m", "n", "nd", "r", "rt", "s", "sk", "t", "x")


def belongs(name: str, split: Split) -> bool:
    """Whether a name (in any case) is one of `split`'s: about one in four is held out."""
    return (zlib.crc32(name.lower().encode()) % 4 == 0) == (split == "held_out")


def of_split(names: Sequence[str], split: Split) -> list[str]:
    """Those of the names that belong to `split`, in order."""
    return [name for name in names if belongs(name, split)]


THINGS_OF: dict[Split, list[str]] = {
    "train": of_split(THINGS, "train"),
    "held_out": of_split(THINGS, "held_out"),
}


def things(draw: random.Random, split: Split, count: int) -> list[str]:
    """Distinct plural nouns."""
    return draw.sample(THINGS_OF[split], count)


def invented(draw: random.Random, split: Split) -> str:
    """A made-up name of two syllables, in lower case."""
    while True:
        name = "".join(draw.choice(_ONSETS) + draw.choice(_VOWELS) for _ in range(2)) + draw.choice(_CODAS)
        if belongs(name, split):
            return name


def invented_names(draw: random.Random, split: Split, count: int) -> list[str]:
    """Distinct made-up names."""
    names: dict[str, None] = {}
    while len(names) < count:
        names[invented(draw, split)] = None
    return list(names)
