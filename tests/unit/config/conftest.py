"""A site written into a temporary folder, loaded or complained about."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent.config import Invalid, Problem, Site, load

GATEWAY = "gateway: {id: gw-1}\n"
DEVICE = "devices: [{name: meter, driver: modbus, endpoint: tcp://127.0.0.1, tags: [{name: a, address: 0}]}]\n"

Load = Callable[..., Site]
Problems = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file into the folder of the site."""

    def put(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return put


@pytest.fixture
def site(write: Callable[[str, str | bytes], Path]) -> Load:
    """Loads a site from its text."""
    return lambda text, env=None: load(write("site.yaml", text), {} if env is None else env)


@pytest.fixture
def found(write: Callable[[str, str | bytes], Path]) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a site."""

    def problems(text: str | bytes, env: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
        with pytest.raises(Invalid) as caught:
            load(write("site.yaml", text), {} if env is None else env)
        return caught.value.problems

    return problems


@pytest.fixture
def problems(found: Callable[..., tuple[Problem, ...]], tmp_path: Path) -> Problems:
    """The problems of a site as a person reads them, without the folder."""
    return lambda text, env=None: [str(each).replace(f"{tmp_path}/", "") for each in found(text, env)]


@pytest.fixture
def complaint(problems: Problems) -> Callable[..., str]:
    """The only problem of a site."""

    def only(text: str | bytes, env: Mapping[str, str] | None = None) -> str:
        (said,) = problems(text, env)
        return said

    return only
