"""Memory that is available: the system's figure, or what the tightest control group leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxpress_plugins.decomposition.available_memory import available


def system(root: Path, *, groups: str = "", **files: str) -> Path:
    """A tree with these files; ``__`` stands for a slash."""
    written = {"proc/meminfo": "MemTotal: 4096 kB\nMemAvailable:   2048 kB\n", "proc/self/cgroup": groups}
    for name, text in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_system_says(tmp_path: Path) -> None:
    assert available(system(tmp_path)) == 2048 * 1024


def test_a_group_of_version_2_with_a_limit(tmp_path: Path) -> None:
    files = {
        "a__b__memory_dot_max": "max\n",
        "a__b__memory_dot_current": "5000\n",
        "a__memory_dot_max": "900000\n",
        "a__memory_dot_current": "500000\n",
        "a__memory_dot_stat": "anon 100\ninactive_file 20000\n",
    }
    assert available(system(tmp_path, groups="0::/a/b\n", **files)) == 420000


def test_a_group_of_version_1(tmp_path: Path) -> None:
    files = {
        "memory__c__memory_dot_limit_in_bytes": "700000\n",
        "memory__c__memory_dot_usage_in_bytes": "600000\n",
        "memory__c__memory_dot_stat": "cache 1\ntotal_inactive_file 50000\n",
        "memory__memory_dot_limit_in_bytes": "9223372036854771712\n",
        "memory__memory_dot_usage_in_bytes": "600000\n",
    }
    groups = "7:cpu,cpuacct:/c\n4:memory:/c\n"
    assert available(system(tmp_path, groups=groups, **files)) == 150000


def test_more_used_than_allowed_is_nothing(tmp_path: Path) -> None:
    files = {"memory_dot_max": "1000", "memory_dot_current": "2000"}
    assert available(system(tmp_path, groups="0::/\n", **files)) == 0


@pytest.mark.parametrize(("limit", "left"), [("1000000", 1000000 - 900 * 1024), ("unlimited", 2048 * 1024)])
def test_a_limit_of_the_address_space(tmp_path: Path, limit: str, left: int) -> None:
    own = system(tmp_path) / "proc/self"
    (own / "limits").write_text(
        f"Limit   Soft Limit   Hard Limit   Units\nMax address space   {limit}   unlimited   bytes\n"
    )
    (own / "status").write_text("Name:\tpython\nState:\tR (running)\nVmSize:\t     900 kB\nVmRSS:\t     300 kB\n")
    assert available(tmp_path) == left


def test_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert available(tmp_path) == 2**32


def test_here() -> None:
    assert available() > 2**20
