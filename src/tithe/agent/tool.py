"""A tool: a typed Python function that a model may call, with what the loop has to know of it.

The schema comes from the annotations, by msgspec, which also reads what the model wrote; descriptions come from the
docstring (its summary, and its `Args:`). `tool` gives a function what a bare one does not say:

    @tool(timeout=5, idempotent=True)
    async def search(query: str, limit: int = 5) -> list[str]:
        \"\"\"Search the documentation.

        Args:
            query: words to look for.
        \"\"\"
"""

import copy
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar, cast, get_type_hints, overload

import docstring_parser
import fastjsonschema
import msgspec

from tithe.agent.fault import bad_arguments, malformed
from tithe.agent.strict import strict_schema
from tithe.core import Tool
from tithe.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__tithe_tool__"
_CHANGEABLE = (list, dict, set, bytearray)
Check = Callable[..., str | Awaitable[str | None] | None]


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop has to know of a tool.

    timeout: seconds that a run may take; None: as long as the task has. A tool with a timeout that is not idempotent is
        not cut at the task's deadline, for then nobody would know what it did: such a run may end later, by its timeout at most.
    idempotent: running it twice, or for nothing, does no harm. Then it may start before the answer that asks for it is complete.
    parallel: it may run beside other calls of the same answer.
    final: calling it ends the task, and its one argument (or all of them) is the answer.
    check: is given the arguments before the tool runs, and returns what is wrong with them in words, or None.
    """

    timeout: float | None = None
    idempotent: bool = False
    parallel: bool = True
    final: bool = False
    check: Check | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout > 0:
            raise UsageError(f"timeout is {self.timeout}: give the seconds that a run of the tool may take.")


NO_TRAITS = Traits()


class AgentTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the loop uses it. `wire` is what the model is told; `read` makes arguments of the text that it wrote.

    `read` raises `Fault` (malformed, bad arguments). `run` is given what `read` returned, as keywords.
    """

    wire: Tool
    read: Callable[[str], dict[str, Any]]
    run: Callable[..., Any]
    traits: Traits = NO_TRAITS

    @property
    def name(self) -> str:
        return self.wire.name


@overload
def tool(function: F) -> F: ...
@overload
def tool(
    *,
    timeout: float | None = None,
    idempotent: bool = False,
    parallel: bool = True,
    final: bool = False,
    check: Check | None = None,
) -> Callable[[F], F]: ...
def tool(function: Any = None, **traits: Any) -> Any:
    """Say of a function what `Traits` lists. The function itself stays as it is."""

    def marked(function: F) -> F:
        setattr(function, _MARK, Traits(**traits))
        return function

    return marked if function is None else marked(function)


def tool_of(source: "Callable[..., Any] | AgentTool") -> AgentTool:
    """The tool that a function is; an `AgentTool` is one already.

    Raises:
        UsageError: a parameter without an annotation, of a type that has no schema, positional only, or `*args`.
    """
    if isinstance(source, AgentTool):
        return source
    name = getattr(source, "__name__", type(source).__name__)
    told = docstring_parser.parse(inspect.getdoc(source) or "")
    described = {param.arg_name: param.description for param in told.params if param.description}
    parameters = _parameters(source, name, described)
    try:
        schema = schema_of(_arguments(name, parameters))
    except TypeError as error:
        raise UsageError(
            f"The tool {name} has a parameter that cannot be described to a model: {error}"
        ) from error
    said = "\n\n".join(part for part in (told.short_description, told.long_description) if part)
    strict = strict_schema(schema)
    wire = Tool(
        name=name,
        description=said or None,
        parameters=schema if strict is None else strict,
        strict=None if strict is None else True,
    )
    read = _reader(name, parameters)
    return AgentTool(wire=wire, read=read, run=source, traits=getattr(source, _MARK, NO_TRAITS))


def described_tool(wire: Tool, run: Callable[..., Any], traits: Traits = NO_TRAITS) -> AgentTool:
    """A tool that is described by a JSON schema (draft 7 and older) in place of annotations, as MCP servers' are.

    Raises:
        UsageError: the schema is none, or refers to something outside itself.
    """
    if (outside := next(_outside(wire.parameters), None)) is not None:
        raise UsageError(
            f"The tool {wire.name} has a schema that refers to {outside}, and no schema is fetched from elsewhere."
        )
    try:
        compiled = fastjsonschema.compile(wire.parameters or {"type": "object"})
    except (fastjsonschema.JsonSchemaDefinitionException, AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"The tool {wire.name} has a schema that cannot be read: {error}") from error
    valid = cast("Callable[[Any], Any]", compiled)

    def read(text: str) -> dict[str, Any]:
        try:
            found: object = msgspec.json.decode(text or "{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(wire.name, str(error)) from None
        if not isinstance(found, dict):
            raise bad_arguments(wire.name, "the arguments must be a JSON object")
        try:
            return valid(cast("dict[str, Any]", found))
        except fastjsonschema.JsonSchemaValueException as error:
            raise bad_arguments(wire.name, str(error).replace("data.", "").replace("data ", "it ")) from None

    return AgentTool(wire=wire, read=read, run=run, traits=traits)


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type, its outermost part in place. Raises `TypeError` for a type that has none."""
    schema = msgspec.json.schema(kind)
    reference = schema.pop("$ref", None)
    if reference is None:
        return schema
    defined: dict[str, Any] = schema["$defs"]
    outermost = defined.pop(reference.removeprefix("#/$defs/"))
    outermost.pop("title", None)
    return outermost | ({"$defs": defined} if defined else {})


class _Parameter(msgspec.Struct, frozen=True):
    """A parameter of a function; `default` is `inspect.Parameter.empty` where it has none."""

    name: str
    kind: Any
    default: Any

    @property
    def omitted_by_null(self) -> bool:
        """Whether a null can only mean that it is left out."""
        if self.default is inspect.Parameter.empty:
            return False
        try:
            msgspec.convert(None, self.kind)
        except msgspec.ValidationError:
            return True
        return False


def _parameters(source: Callable[..., Any], name: str, described: dict[str, str]) -> list[_Parameter]:
    try:
        hints = get_type_hints(source, include_extras=True)
    except (NameError, TypeError) as error:
        raise UsageError(f"The annotations of the tool {name} cannot be resolved: {error}") from error
    found: list[_Parameter] = []
    for parameter in inspect.signature(source).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UsageError(f"The tool {name} takes {parameter}: give each parameter a name of its own.")
        if parameter.name not in hints:
            raise UsageError(f"The parameter {parameter.name} of the tool {name} needs an annotation.")
        kind = hints[parameter.name]
        if parameter.name in described:
            kind = Annotated[kind, msgspec.Meta(description=described[parameter.name])]
        found.append(_Parameter(parameter.name, kind, parameter.default))
    return found


def _arguments(name: str, parameters: Iterable[_Parameter]) -> type[msgspec.Struct]:
    """A struct with a field a parameter."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for each in parameters:
        if each.default is inspect.Parameter.empty:
            fields.append((each.name, each.kind))
        else:
            fields.append((each.name, each.kind, _default(each.default)))
    return msgspec.defstruct(f"{name}_arguments", fields, kw_only=True, forbid_unknown_fields=True)


def _reader(name: str, parameters: Iterable[_Parameter]) -> Callable[[str], dict[str, Any]]:
    """What makes arguments of a text. Where null can only mean that a parameter is left out it does."""
    omitted = {each.name: each.default for each in parameters if each.omitted_by_null}
    readable = [
        _Parameter(each.name, each.kind | None, None) if each.name in omitted else each for each in parameters
    ]
    arguments = _arguments(name, readable)
    decoder = msgspec.json.Decoder(arguments)

    def read(text: str) -> dict[str, Any]:
        try:
            found = decoder.decode(text or "{}")
        except msgspec.ValidationError as error:
            raise bad_arguments(name, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(name, str(error)) from None
        values = {key: getattr(found, key) for key in arguments.__struct_fields__}
        left_out = {key: _fresh(omitted[key]) for key in omitted if values[key] is None}
        return values | left_out

    return read


def _default(value: Any) -> Any:
    """A field's default."""
    if isinstance(value, _CHANGEABLE):
        return msgspec.field(default_factory=lambda: _fresh(cast("object", value)))
    return msgspec.field(default=value)


def _fresh(value: Any) -> Any:
    """A default; what can change is copied, so that no call sees what another made of it."""
    return copy.copy(cast("object", value)) if isinstance(value, _CHANGEABLE) else value


def _outside(part: Any) -> Iterator[str]:
    """What a schema refers to outside itself: to read it would mean to fetch that from wherever it says."""
    if isinstance(part, dict):
        reference = cast("dict[str, Any]", part).get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference
        part = list(cast("dict[str, Any]", part).values())
    if isinstance(part, list):
        for each in cast("list[Any]", part):
            yield from _outside(each)
