"""The form of a saved report or comparison, as JSON Schema (2020-12), made from the types that write and read it.

What a field means, and its unit, stands in the description of the object that holds it; docs/report.md
says what holds for all of them.
"""

import inspect
from typing import Any, cast

import msgspec

from tithe.audit.audit import REPORT_VERSION, AuditReport
from tithe.audit.comparison import COMPARISON_VERSION, Comparison


def report_schema() -> dict[str, Any]:
    """The schema of what an audit writes: a report, or a comparison, which holds the reports of its endpoints.

    Names that it does not have are allowed, for later readers' sake.
    """
    written = {AuditReport: REPORT_VERSION, Comparison: COMPARISON_VERSION}
    references, kinds = msgspec.json.schema_components(written, ref_template="#/$defs/{name}")
    for kind in kinds.values():
        if "description" in kind:
            kind["description"] = inspect.cleandoc(cast(str, kind["description"]))
    for kind, version in written.items():
        kinds[kind.__name__]["properties"]["version"] = {"type": "integer", "const": version}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"What `tithe audit` writes: a report (version {REPORT_VERSION}), or a comparison (version {COMPARISON_VERSION})",
        "anyOf": list(references),
        "$defs": kinds,
    }


def written_schema() -> str:
    """The schema as text that people read too."""
    return msgspec.json.format(msgspec.json.encode(report_schema()), indent=2).decode() + "\n"
