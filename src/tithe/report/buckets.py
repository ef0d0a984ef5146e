"""How the ledger's buckets look and what they are called: a letter and a colour each, so that neither is needed alone."""

import msgspec

from tithe.ledger import BUCKETS, Bucket
from tithe.report.drawing import Colour, Part


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """`letter` stands in a bar of a terminal, on `style` where there is colour; `colour` is the page's."""

    letter: str
    name: str
    style: str
    colour: Colour


# Numbers are of the 256 colours that terminals know; a terminal with fewer gets the nearest.
LOOKS: dict[Bucket, Look] = {
    "connect": Look(letter="c", name="connect", style="color(218)", colour="pink"),
    "queue": Look(letter="q", name="queue", style="color(137)", colour="brown"),
    "prefill": Look(letter="p", name="prefill", style="color(215)", colour="orange"),
    "decode": Look(letter="d", name="decode", style="color(75)", colour="blue"),
    "inference": Look(letter="i", name="inference, not told apart", style="color(189)", colour="slate"),
    "tool": Look(letter="t", name="tools", style="color(71)", colour="green"),
    "retry": Look(letter="r", name="retries and failures", style="color(176)", colour="purple"),
    "validation": Look(letter="v", name="validation", style="color(185)", colour="gold"),
    "overhead": Look(letter="o", name="overhead", style="color(246)", colour="grey"),
    "speculation": Look(letter="s", name="speculation", style="color(203)", colour="red"),
    "user": Look(letter="u", name="waiting for the user", style="color(44)", colour="teal"),
    "unattributed": Look(letter="░", name="not instrumented", style="color(240)", colour="grey"),
}
# What nobody saw is hatched, or shaded: it is the absence of a figure, and no kind of work.
UNSEEN: Bucket = "unattributed"
PARTS: tuple[Part, ...] = tuple(
    Part(name=LOOKS[bucket].name, colour=LOOKS[bucket].colour, hatched=bucket == UNSEEN) for bucket in BUCKETS
)
