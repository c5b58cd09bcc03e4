"""Where no cluster runs: one line that says how to start one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.children import gaelp


@pytest.mark.parametrize(("address", "told"), [
    ("auto", "--ray auto: no Ray cluster answers there"),
    ("nonsense", "--ray nonsense: no Ray cluster answers there"),
    ("127.0.0.1:1", "--ray 127.0.0.1:1: no Ray cluster answers there ([Errno 111] Connection refused)"),
    ("ray://127.0.0.1:1", "an address is HOST:PORT, as ray start told it, or auto"),
])
def test_it_is_one_line(address: str, told: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra [ray])")
    ended = gaelp("run", "quickstart", "--days", "1", "--ray", address, folder=tmp_path, RAY_ADDRESS="",
                  RAY_TMPDIR=str(tmp_path))
    assert ended.code == 2 and ended.tells_one_error(), ended.err
    assert told in ended.last_line and ended.last_line.endswith("next: ray start --head")
    assert gaelp("runs", "list", "--json", folder=tmp_path).out == "[]\n", "a run was begun"
