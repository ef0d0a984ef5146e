"""`tithe import`: what other programs recorded, as tasks of the record."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from tithe.cli.store import Db, record_path
from tithe.core.errors import UsageError
from tithe.core.span import Anchor
from tithe.report.figures import counted
from tithe.trace import Store
from tithe.trace.formats import Format, Imported, ImportedTask, format_named, parse, read_guessed
from tithe.trace.node import walk
from tithe.trace.tree import build_tree

_STDIN = "-"
_SUFFIXES = frozenset((".json", ".jsonl", ".ndjson", ".traj"))


class ImportedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file gave. `tasks` are their ids; of them `kept` were in the record before, just as they are here, and `replaced`
    in part or otherwise. `notes`: what it does not tell, of which `lacks` is what no file of its format does, and what was
    left out."""

    file: str
    format: str
    tasks: tuple[str, ...]
    kept: int
    replaced: int
    calls: int
    tools: int
    lacks: str | None
    notes: tuple[str, ...]


class UnreadFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that nothing was imported from, and why."""

    file: str
    why: str


def import_(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
    format_: Annotated[str | None, Parameter(name="--format")] = None,
    db: Db = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Read what other programs recorded, and add it to the record.

    It reads OpenTelemetry traces by the GenAI or OpenInference conventions (otlp), logs of Claude Code (claude-code) and of
    Codex (codex), Langfuse observations (langfuse), OpenAI Agents SDK traces (openai-agents), SWE-agent trajectories
    (swe-agent), WEKA (weka) and Mooncake (mooncake) request traces, and recordings of tithe serve --trace (tithe). What a format does
    not tell is said, and is "not reported" from then on. Tasks without a date are listed last. Importing a file again
    doubles nothing.

    Parameters
    ----------
    files
        Files, folders (every .json, .jsonl, .ndjson and .traj file in them), or - for standard input.
    format_
        The format, where it is not to be guessed: otlp, claude-code, codex, langfuse, openai-agents, swe-agent, weka,
        mooncake or tithe.
    db
        The record's file. Without it that of TITHE_DB, else record.db in the user's data directory.
    json
        Print one JSON object in place of text: the record's file, what each file gave, and which could not be read.
    """
    if not files:
        raise UsageError("No file is named: give files or folders to import, or - for standard input.")
    unknown = next((name for name in files if name.startswith("-") and name != _STDIN), None)
    if unknown is not None:  # let through with the hyphen of standard input
        raise UsageError(f"There is no option {unknown}: `tithe import --help` lists those that there are.")
    chosen = None if format_ is None else format_named(format_)
    path = record_path(db)
    read: list[ImportedFile] = []
    unread: list[UnreadFile] = []
    told: set[str] = set()
    added: set[str] = set()
    for name, in_folder in _found(files):
        try:
            imported = _import(name, chosen, path, added)
        except UsageError as error:
            unread.append(UnreadFile(file=name, why=error.message))
            # Folders hold all sorts of files; one that was named is another matter.
            if not json and not in_folder:
                sys.stderr.write(f"tithe: {error.message}\n")
            continue
        read.append(imported)
        if not json:
            _print(imported, told)
    if json:
        found = {"db": str(path), "files": read, "unread": unread}
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    elif unread and any(in_folder for _, in_folder in _found(files)):
        sys.stdout.write(f"{counted(len(unread), 'file')} not read, such as: {unread[0].why}\n")
    if not read:
        why = (
            "" if unread else " There was no file in what was named, or none that is .json, .jsonl or .traj."
        )
        raise UsageError(f"Nothing was imported.{why}")


def _found(named: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The files that were named, and those in the folders that were; the latter are marked."""
    for name in dict.fromkeys(named):
        path = Path(name)
        if name != _STDIN and path.is_dir():
            inside = (one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES and one.is_file())
            yield from ((str(one), True) for one in sorted(inside))
        else:
            yield name, False


def _import(name: str, chosen: Format | None, path: Path, added: set[str]) -> ImportedFile:
    source = parse(_contents(name), "standard input" if name == _STDIN else Path(name).name)
    format_found, imported = read_guessed(source) if chosen is None else (chosen, chosen.read(source))
    kept = replaced = 0
    with Store.open(path) as store:
        for task in imported.tasks:
            if task.id not in added:  # a session's files make one task
                same, other = store.compare(task.spans)
                whole = same == len({span.id for span in task.spans})
                kept, replaced = kept + whole, replaced + (not whole and same + other > 0)
                added.add(task.id)
            _add(store, task, f"import:{format_found.name}", name)
    return ImportedFile(
        file=name,
        format=format_found.name,
        tasks=tuple(task.id for task in imported.tasks),
        kept=kept,
        replaced=replaced,
        calls=_count(imported, "call"),
        tools=_count(imported, "tool"),
        lacks=format_found.lacks,
        notes=imported.notes,
    )


def _contents(name: str) -> bytes:
    if name == _STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}. Name a file or a folder.") from error


def _add(store: Store, task: ImportedTask, source: str, file: str) -> None:
    # Without a date, at the epoch: readers take that for not reported.
    anchor = Anchor(monotonic=0.0, unix=0.0 if task.began is None else task.began)
    recording = store.begin(anchor, source=source, command=file, name=task.name)
    store.add(recording, task.spans, task.prompts)
    ends = (span.start if span.end is None else span.end for span in task.spans)
    store.finish(recording, at=max(ends, default=0.0))


def _count(imported: Imported, kind: str) -> int:
    """How many calls or tool runs a reader of the tasks finds: attempts without a call are one each, too."""
    trees = [build_tree(task.spans) for task in imported.tasks if task.spans]
    return sum(node.kind == kind for tree in trees for node in walk(tree.root))


def _already(imported: ImportedFile) -> str:
    told = [
        f"{words} {count:,}"
        for words, count in (("kept", imported.kept), ("replaced", imported.replaced))
        if count
    ]
    return f"; already there: {', '.join(told)}" if told else ""


def _print(imported: ImportedFile, told: set[str]) -> None:
    counts = (
        counted(len(imported.tasks), "task"),
        counted(imported.calls, "call"),
        counted(imported.tools, "tool run"),
    )
    sys.stdout.write(f"{imported.file}: {imported.format}, {', '.join(counts)}{_already(imported)}\n")
    for note in imported.notes:
        if note == imported.lacks and imported.format in told:
            continue  # many files of one format lack the same
        sys.stdout.write(f"  {note}\n")
    told.add(imported.format)
