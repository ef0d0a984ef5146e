"""What other programs recorded, as tasks: one file a format, and the list of them.

A format's module has `NAME`, `SAYS` (what it reads, for people), `LACKS` (what no file of it tells, or None),
`recognizes(record)`, and `read(source)`.
"""

from tithe.trace.formats.imported import Imported, ImportedTask
from tithe.trace.formats.reading import FORMATS, Format, format_named, read_guessed
from tithe.trace.formats.source import Source, parse

__all__ = ["FORMATS", "Format", "Imported", "ImportedTask", "Source", "format_named", "parse", "read_guessed"]
