"""The flags of a plan: each option is stated once, in `AuditPlan`, and this fills in the rest.

cyclopts makes flag, type and help from the plan's fields. Added here: a list may be given with
commas (`--lengths 256,1024`), and `--quick` gives every option that was not named its quick value,
which is higher for some where several endpoints are compared.
"""

import dataclasses

from cyclopts import App, ArgumentCollection, Token

from tithe.audit import QUICK, QUICK_PAIRS, as_typed


def fill_plan(_app: App, _commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """A cyclopts config: called with what was parsed, before it becomes values."""
    quick = any(argument.name == "--quick" and argument.has_tokens for argument in arguments)
    urls = sum(token.keyword is None for argument in arguments for token in argument.tokens)
    short = QUICK_PAIRS if urls > 1 else QUICK
    options = {"--" + field.name.replace("_", "-"): field.name for field in dataclasses.fields(short)}
    for argument in arguments:
        field = options.get(argument.name)
        if field is None:
            continue
        if argument.tokens:
            values, source = [piece for token in argument.tokens for piece in token.value.split(",")], "cli"
        elif quick and getattr(short, field) not in (None, ()):
            values, source = as_typed(getattr(short, field)).split(","), "--quick"
        else:
            continue
        argument.tokens = [
            Token(keyword=argument.name, value=value, source=source, index=index)
            for index, value in enumerate(values)
        ]
