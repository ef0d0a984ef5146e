"""The functions that repair tasks are about, and the bugs that are put into them.

A shape is a function with names left open, `{f}` its own name and `{say}` the first word of its
docstring among them. Each comes with the bugs that may be put into it (bugs.py); every line that a
held-out bug is in has, in training, a bug of another kind, so that the right line is known from
training and the wrong one is new.
"""

from typing import Literal

import msgspec

from tithe.world.bugs import Bug
from tithe.world.task import Split

Value = Literal["numbers", "number", "small", "word", "table", "key"]


class Shape(msgspec.Struct, frozen=True):
    """A function. `verbs` begin its name; `takes` says what its arguments are, in order."""

    name: str
    verbs: dict[Split, tuple[str, ...]]
    takes: tuple[Value, ...]
    lines: tuple[str, ...]
    bugs: tuple[Bug, ...]


def _shape(
    name: str, verbs: str, takes: tuple[Value, ...], source: str, *bugs: tuple[str, int, str]
) -> Shape:
    """`verbs`: those of training, a bar, those held out."""
    train, _, held_out = verbs.partition(" | ")
    return Shape(
        name=name,
        verbs={"train": tuple(train.split()), "held_out": tuple(held_out.split())},
        takes=takes,
        lines=tuple(source.strip("\n").split("\n")),
        bugs=tuple(Bug(*bug) for bug in bugs),
    )


SHAPES: tuple[Shape, ...] = (
    _shape(
        "sum",
        "total sum add | tally",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} the sum of {xs}."""
    {acc} = 0
    for {x} in {xs}:
        {acc} = {acc} + {x}
    return {acc}
''',
        ("starts one high", 2, "    {acc} = 1"),
        ("minus for plus", 4, "        {acc} = {acc} - {x}"),
        ("returns too early", 5, "        return {acc}"),
        ("wrong name", 5, "    return {xs}"),
        ("starts one low", 2, "    {acc} = -1"),
        ("times for plus", 4, "        {acc} = {acc} * {x}"),
        ("return missing", 5, "    {acc}"),
    ),
    _shape(
        "product",
        "multiply product times | scale",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} the product of {xs}."""
    {acc} = 1
    for {x} in {xs}:
        {acc} = {acc} * {x}
    return {acc}
''',
        ("starts one high", 2, "    {acc} = 2"),
        ("plus for times", 4, "        {acc} = {acc} + {x}"),
        ("returns too early", 5, "        return {acc}"),
        ("starts one low", 2, "    {acc} = 0"),
        ("minus for times", 4, "        {acc} = {acc} - {x}"),
        ("return missing", 5, "    {acc}"),
    ),
    _shape(
        "count above",
        "count_high many_high | number_high",
        ("numbers", "number"),
        '''
def {f}({xs}, {limit}):
    """{say} how many of {xs} are above {limit}."""
    {acc} = 0
    for {x} in {xs}:
        if {x} > {limit}:
            {acc} = {acc} + 1
    return {acc}
''',
        ("starts one high", 2, "    {acc} = 1"),
        ("comparison turned", 4, "        if {x} < {limit}:"),
        ("minus for plus", 5, "            {acc} = {acc} - 1"),
        ("wrong name", 6, "    return {limit}"),
        ("starts one low", 2, "    {acc} = -1"),
        ("boundary of comparison", 4, "        if {x} >= {limit}:"),
        ("equality for order", 4, "        if {x} == {limit}:"),
        ("wrong constant", 5, "            {acc} = {acc} + 2"),
        ("return missing", 6, "    {acc}"),
    ),
    _shape(
        "count up to",
        "count_low many_low | number_low",
        ("numbers", "number"),
        '''
def {f}({xs}, {limit}):
    """{say} how many of {xs} are at most {limit}."""
    {acc} = 0
    for {x} in {xs}:
        if {x} <= {limit}:
            {acc} = {acc} + 1
    return {acc}
''',
        ("starts one high", 2, "    {acc} = 1"),
        ("comparison turned", 4, "        if {x} >= {limit}:"),
        ("minus for plus", 5, "            {acc} = {acc} - 1"),
        ("returns too early", 6, "        return {acc}"),
        ("boundary of comparison", 4, "        if {x} < {limit}:"),
        ("wrong constant", 5, "            {acc} = {acc} + 2"),
        ("return missing", 6, "    {acc}"),
    ),
    _shape(
        "largest",
        "largest highest most | top",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} the largest of {xs}."""
    {acc} = {xs}[0]
    for {x} in {xs}:
        if {x} > {acc}:
            {acc} = {x}
    return {acc}
''',
        ("comparison turned", 4, "        if {x} < {acc}:"),
        ("wrong name", 6, "    return {x}"),
        ("returns too early", 6, "        return {acc}"),
        ("equality for order", 4, "        if {x} == {acc}:"),
        ("return missing", 6, "    {acc}"),
    ),
    _shape(
        "smallest",
        "smallest lowest least | bottom",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} the smallest of {xs}."""
    {acc} = {xs}[0]
    for {x} in {xs}:
        if {x} < {acc}:
            {acc} = {x}
    return {acc}
''',
        ("comparison turned", 4, "        if {x} > {acc}:"),
        ("wrong name", 6, "    return {x}"),
        ("returns too early", 6, "        return {acc}"),
        ("equality for order", 4, "        if {x} == {acc}:"),
        ("return missing", 6, "    {acc}"),
    ),
    _shape(
        "sum to",
        "sum_to add_to | tally_to",
        ("small",),
        '''
def {f}({n}):
    """{say} the sum of the numbers from 1 to {n}."""
    {acc} = 0
    for {x} in range(1, {n} + 1):
        {acc} = {acc} + {x}
    return {acc}
''',
        ("starts one high", 2, "    {acc} = 1"),
        ("range ends early", 3, "    for {x} in range(1, {n}):"),
        ("minus for plus", 4, "        {acc} = {acc} - {x}"),
        ("returns too early", 5, "        return {acc}"),
        ("starts one low", 2, "    {acc} = -1"),
        ("range begins late", 3, "    for {x} in range(2, {n} + 1):"),
        ("range ends late", 3, "    for {x} in range(1, {n} + 2):"),
        ("return missing", 5, "    {acc}"),
    ),
    _shape(
        "keep",
        "keep pick select | choose",
        ("numbers", "number"),
        '''
def {f}({xs}, {limit}):
    """{say} those of {xs} that are at least {limit}."""
    {kept} = []
    for {x} in {xs}:
        if {x} >= {limit}:
            {kept}.append({x})
    return {kept}
''',
        ("comparison turned", 4, "        if {x} <= {limit}:"),
        ("wrong name", 5, "            {kept}.append({limit})"),
        ("wrong name", 6, "    return {xs}"),
        ("boundary of comparison", 4, "        if {x} > {limit}:"),
        ("equality for order", 4, "        if {x} == {limit}:"),
        ("return missing", 6, "    {kept}"),
    ),
    _shape(
        "cap",
        "cap limit | bound",
        ("small", "small"),
        '''
def {f}({n}, {limit}):
    """{say} {n}, but never more than {limit}."""
    if {n} > {limit}:
        return {limit}
    return {n}
''',
        ("comparison turned", 2, "    if {n} < {limit}:"),
        ("wrong name", 3, "        return {n}"),
        ("wrong name", 4, "    return {limit}"),
        ("equality for order", 2, "    if {n} == {limit}:"),
        ("return missing", 4, "    {n}"),
    ),
    _shape(
        "left",
        "change rest | left",
        ("number", "small", "small"),
        '''
def {f}({paid}, {n}, {price}):
    """{say} what is left of {paid} after {n} at {price} each."""
    return {paid} - {n} * {price}
''',
        ("plus for minus", 2, "    return {paid} + {n} * {price}"),
        ("arguments swapped", 2, "    return {n} - {paid} * {price}"),
        ("part left out", 2, "    return {paid} - {price}"),
        ("times for minus", 2, "    return {paid} * {n} * {price}"),
        ("minus for times", 2, "    return {paid} - {n} - {price}"),
        ("return missing", 2, "    {paid} - {n} * {price}"),
    ),
    _shape(
        "area",
        "area surface | space",
        ("small", "small"),
        '''
def {f}({width}, {height}):
    """{say} the area of {width} by {height}."""
    return {width} * {height}
''',
        ("plus for times", 2, "    return {width} + {height}"),
        ("wrong name", 2, "    return {width} * {width}"),
        ("part left out", 2, "    return {width}"),
        ("minus for times", 2, "    return {width} - {height}"),
        ("return missing", 2, "    {width} * {height}"),
    ),
    _shape(
        "edge",
        "edge border | rim",
        ("small", "small"),
        '''
def {f}({width}, {height}):
    """{say} the length around {width} by {height}."""
    return 2 * ({width} + {height})
''',
        ("minus for plus", 2, "    return 2 * ({width} - {height})"),
        ("part left out", 2, "    return {width} + {height}"),
        ("plus for times", 2, "    return 2 + ({width} + {height})"),
        ("times for plus", 2, "    return 2 * ({width} * {height})"),
        ("wrong constant", 2, "    return 3 * ({width} + {height})"),
        ("return missing", 2, "    2 * ({width} + {height})"),
    ),
    _shape(
        "find",
        "find look_up get | fetch",
        ("table", "key"),
        '''
def {f}({table}, {key}):
    """{say} the entry of {key} in {table}, or 0."""
    return {table}.get({key}, 0)
''',
        ("default of one", 2, "    return {table}.get({key}, 1)"),
        ("arguments swapped", 2, "    return {table}.get(0, {key})"),
        ("default missing", 2, "    return {table}.get({key})"),
        ("return missing", 2, "    {table}.get({key}, 0)"),
    ),
    _shape(
        "last",
        "last newest | final",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} the last of {xs}."""
    return {xs}[-1]
''',
        ("wrong end", 2, "    return {xs}[0]"),
        ("part left out", 2, "    return {xs}"),
        ("index off by one", 2, "    return {xs}[-2]"),
        ("return missing", 2, "    {xs}[-1]"),
    ),
    _shape(
        "first",
        "first oldest | initial",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} the first of {xs}."""
    return {xs}[0]
''',
        ("wrong end", 2, "    return {xs}[-1]"),
        ("part left out", 2, "    return {xs}"),
        ("index off by one", 2, "    return {xs}[1]"),
        ("return missing", 2, "    {xs}[0]"),
    ),
    _shape(
        "start",
        "start begin | head",
        ("numbers", "small"),
        '''
def {f}({xs}, {n}):
    """{say} the first {n} of {xs}."""
    return {xs}[:{n}]
''',
        ("wrong end", 2, "    return {xs}[{n}:]"),
        ("range ends early", 2, "    return {xs}[:{n} - 1]"),
        ("range ends late", 2, "    return {xs}[:{n} + 1]"),
        ("range begins late", 2, "    return {xs}[1:{n}]"),
        ("return missing", 2, "    {xs}[:{n}]"),
    ),
    _shape(
        "join",
        "join name | label",
        ("word", "word"),
        '''
def {f}({a}, {b}):
    """{say} {a} and {b} with a space between."""
    return {a} + " " + {b}
''',
        ("arguments swapped", 2, '    return {b} + " " + {a}'),
        ("part left out", 2, "    return {a} + {b}"),
        ("wrong constant", 2, '    return {a} + "-" + {b}'),
        ("return missing", 2, '    {a} + " " + {b}'),
    ),
    _shape(
        "even",
        "even paired | halved",
        ("number",),
        '''
def {f}({n}):
    """{say} whether {n} is even."""
    return {n} % 2 == 0
''',
        ("comparison turned", 2, "    return {n} % 2 != 0"),
        ("plus for times", 2, "    return {n} + 2 == 0"),
        ("wrong constant", 2, "    return {n} % 3 == 0"),
        ("return missing", 2, "    {n} % 2 == 0"),
    ),
    _shape(
        "spread",
        "spread range | gap",
        ("numbers",),
        '''
def {f}({xs}):
    """{say} how far the largest of {xs} is above the smallest."""
    return max({xs}) - min({xs})
''',
        ("plus for minus", 2, "    return max({xs}) + min({xs})"),
        ("arguments swapped", 2, "    return min({xs}) - max({xs})"),
        ("part left out", 2, "    return max({xs})"),
        ("times for minus", 2, "    return max({xs}) * min({xs})"),
        ("return missing", 2, "    max({xs}) - min({xs})"),
    ),
)
