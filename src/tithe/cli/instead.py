"""What `tithe audit` does in place of measuring an endpoint."""

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tithe.core.errors import UsageError

_BESIDE = {
    "--from": "--from shows a report that is there and measures nothing: leave out the URL, --model, --save, --quick "
    "and the options of what is measured.",
    "--compare": "--compare stands on reports that are there and measures nothing: leave out the URL, --model, --quick "
    "and the options of what is measured.",
    "--self-test": "--self-test measures no endpoint: give it --json or nothing else.",
    "--schema": "--schema measures no endpoint: give it nothing else.",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Instead:
    """The flags and their help are made from this.

    Attributes:
        from_: Show the report that --save wrote to this file, and measure nothing. With --html or --csv, make those of it.
        compare: Compare the reports that --save wrote to these files with the first of them, and measure nothing.
        self_test: Measure no endpoint: hold the measuring client to scenarios whose answers are known, and say where it
            is wrong. With --json alone.
        schema: Print the JSON Schema of a report, and measure nothing. Alone.
    """

    from_: Annotated[Path | None, Parameter(name="--from")] = None
    compare: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative_iterable=())] = ()
    self_test: Annotated[bool, Parameter(negative=())] = False
    schema: Annotated[bool, Parameter(negative=())] = False

    def check(self, *, asked: bool, saving: bool, beside: bool, json: bool) -> None:
        """Raises `UsageError` for flags that do not go together.

        `asked`: something was said of what to measure; `saving`: the report is to be saved; `beside`: any other
        flag that only goes with a report.
        """
        chosen = [flag for flag, given in self._given().items() if given]
        if not chosen:
            return
        allowed = {
            "--from": not (asked or saving),
            "--compare": not asked,
            "--self-test": not (asked or saving or beside),
            "--schema": not (asked or saving or beside or json),
        }
        if len(chosen) > 1 or not allowed[chosen[0]]:
            raise UsageError(_BESIDE[chosen[-1]])

    def _given(self) -> dict[str, bool]:
        return {
            "--from": self.from_ is not None,
            "--compare": bool(self.compare),
            "--self-test": self.self_test,
            "--schema": self.schema,
        }
