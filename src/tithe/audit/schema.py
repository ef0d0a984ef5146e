"""The form of a saved report, as JSON Schema (2020-12), made from the types that write and read it.

What a field means, and its unit, stands in the description of the object that holds it; docs/report.md
says what holds for all of them.
"""

import inspect
from typing import Any, cast

import msgspec

from tithe.audit.audit import REPORT_VERSION, AuditReport


def report_schema() -> dict[str, Any]:
    """The schema of a report of `REPORT_VERSION`. Names that it does not have are allowed, for later readers' sake."""
    made = msgspec.json.schema(AuditReport)
    kinds: dict[str, dict[str, Any]] = made["$defs"]
    for kind in kinds.values():
        if "description" in kind:
            kind["description"] = inspect.cleandoc(cast(str, kind["description"]))
    kinds["AuditReport"]["properties"]["version"] = {"type": "integer", "const": REPORT_VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A report of `tithe audit`, version {REPORT_VERSION}",
        **made,
    }


def written_schema() -> str:
    """The schema as text that people read too."""
    return msgspec.json.format(msgspec.json.encode(report_schema()), indent=2).decode() + "\n"
