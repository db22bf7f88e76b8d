"""A hub of this test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.hub_server import HubServer


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """A real server on this machine that speaks the hub's protocol."""
    with HubServer() as server:
        yield server
