import pytest

from tithe.cli.telemetry import exporting
from tithe.cli.upstreams import around_proxies, routes
from tithe.core.errors import UsageError


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def asked(environment: dict[str, str], upstream: str | None = None) -> dict[str, str]:
    """Each variable and where a request to what it then says, with /x appended, arrives."""
    found = routes(environment, upstream)
    arrives: dict[str, str] = {}
    for variable, url in found.variables("http://127.0.0.1:1").items():
        name, _, rest = url.removeprefix("http://127.0.0.1:1/").partition("/")
        arrives[variable] = found.upstreams[name].origin + f"/{rest}" * bool(rest) + "/x"
    return arrives


def test_without_any_variable_the_vendors_are_asked() -> None:
    assert asked({}) == {
        "OPENAI_BASE_URL": "https://api.openai.com/v1/x",
        "OPENAI_API_BASE": "https://api.openai.com/v1/x",
        "ANTHROPIC_BASE_URL": "https://api.anthropic.com/x",
        "ANTHROPIC_API_BASE": "https://api.anthropic.com/x",
        "ANTHROPIC_API_URL": "https://api.anthropic.com/x",
    }


def test_what_a_variable_said_is_where_its_requests_arrive() -> None:
    told = {
        "OPENAI_BASE_URL": "http://localhost:8000/v1/",
        "ANTHROPIC_BASE_URL": "https://gate.example/a%20b",
        "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com",
        "GROQ_API_KEY": "k",
    }
    arrives = asked(told)
    assert arrives["OPENAI_BASE_URL"] == arrives["OPENAI_API_BASE"] == "http://localhost:8000/v1/x"
    assert arrives["ANTHROPIC_BASE_URL"] == "https://gate.example/a%20b/x"
    assert arrives["AZURE_OPENAI_ENDPOINT"] == "https://me.openai.azure.com/x"
    assert arrives["GROQ_BASE_URL"] == "https://api.groq.com/x"
    assert "AZURE_API_BASE" not in arrives
    assert "TOGETHER_BASE_URL" not in arrives


def test_variables_of_one_vendor_may_say_different_things() -> None:
    arrives = asked({"OPENAI_BASE_URL": "http://a/v1", "OPENAI_API_BASE": "http://b/v2"})
    assert (arrives["OPENAI_BASE_URL"], arrives["OPENAI_API_BASE"]) == ("http://a/v1/x", "http://b/v2/x")


@pytest.mark.parametrize("upstream", ["http://h:8000", "http://h:8000/v1", "http://h:8000/v1/"])
def test_one_upstream_has_the_paths_that_each_library_needs(upstream: str) -> None:
    arrives = asked({"GROQ_API_KEY": "k", "OPENAI_BASE_URL": "http://other"}, upstream)
    assert {name for name in arrives if not name.startswith(("OPENAI", "ANTHROPIC"))} == set()
    assert arrives["OPENAI_BASE_URL"] == "http://h:8000/v1/x"
    assert arrives["ANTHROPIC_BASE_URL"] == "http://h:8000/x"


def test_what_is_no_url_is_named() -> None:
    with pytest.raises(UsageError, match="OPENAI_BASE_URL is 'nonsense'"):
        routes({"OPENAI_BASE_URL": "nonsense"})


def test_a_proxy_on_the_way_stays_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "api.anthropic.com")
    found = routes({}).upstreams
    assert found["openai"].through == "http://proxy:3128"
    assert found["anthropic"].through is None


def test_this_machine_is_asked_past_every_proxy() -> None:
    every = "b,a,127.0.0.1,localhost"
    assert around_proxies({"NO_PROXY": "a, b", "no_proxy": "b"}) == {"NO_PROXY": every, "no_proxy": every}


def test_telemetry_goes_by_here_to_where_it_went() -> None:
    nowhere = exporting({})
    assert nowhere is not None
    assert nowhere.upstreams == {"otlp": None}
    assert nowhere.variables("http://p") == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://p/otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    told = exporting(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/t/",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://d/spans",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        }
    )
    assert told is not None
    assert told.variables("http://p") == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://p/otlp/t",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://p/otlp-traces/spans",
    }
    assert {name: each and each.origin for name, each in told.upstreams.items()} == {
        "otlp": "http://c:4318",
        "otlp-traces": "https://d",
    }
    assert exporting({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None


@pytest.mark.parametrize("url", ["http://me:secret@host/v1", "http://host/v1?api-version=3"])
def test_what_would_not_reach_the_endpoint_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="would not reach the endpoint"):
        routes({"OPENAI_BASE_URL": url})
    with pytest.raises(UsageError, match="would not reach the endpoint"):
        routes({}, url)
