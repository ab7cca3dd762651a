"""Limited groups: found, made, read and removed; version 1 for real, version 2 on a tree of files.

No hierarchy of version 2 with a memory controller is to be had where version 1 holds it, so what
the kernel does with these files is not tested there, only that the right words go into them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from limited import MIB, limits

from harness.errors import DeviceError
from harness.fit import groups, place
from harness.fit.groups import PREFIX, Group
from harness.fit.place import Place

_CROWD = "import sys; block = bytearray(int(sys.argv[1]) << 20); print(len(block))"


def _of(where: Place, pid: int) -> list[str]:
    """Return the groups that one process made: others may limit something at the same time."""
    tops = [where.memory] + ([where.cpuset] if where.cpuset else [])
    return [str(found) for top in tops for found in top.glob(f"{PREFIX}*-{pid}-*")]


def _ours(where: Place) -> list[str]:
    return _of(where, os.getpid())


def test_a_process_gets_no_more_than_its_group_has() -> None:
    where = limits()
    with Group(where, 128 * MIB, (0,)) as group:
        small = subprocess.run([*group.through(), sys.executable, "-c", _CROWD, "60"], check=False)
        calm = group.usage()
        large = subprocess.run([*group.through(), sys.executable, "-c", _CROWD, "160"], check=False)
        after = group.usage()
        assert _ours(where)
    assert (small.returncode, large.returncode) == (0, -9)
    assert calm.oom_kills == 0
    assert calm.peak_bytes is not None
    assert 60 * MIB < calm.peak_bytes < 128 * MIB
    assert after.oom_kills in (1, None)
    assert not _ours(where)


def test_a_process_runs_on_the_group_s_cores() -> None:
    where = limits()
    if where.cpuset is None:
        pytest.skip("no group can hold cores here")
    core = min(os.sched_getaffinity(0))
    told = "import os; print(sorted(os.sched_getaffinity(0)))"
    with Group(where, 128 * MIB, (core,)) as group:
        command = [*group.through(), sys.executable, "-c", told]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == f"[{core}]"


def test_what_still_runs_is_ended_with_its_group() -> None:
    where = limits()
    with Group(where, 128 * MIB, ()) as group:
        command = [
            *group.through(),
            sys.executable,
            "-c",
            "import time; print(1, flush=True); time.sleep(60)",
        ]
        sleeper = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert sleeper.stdout is not None
        sleeper.stdout.readline()
        assert group.pids() == (sleeper.pid,)
        # in version 1 what was killed stays in its group until somebody waits for it
        reaper = threading.Thread(target=sleeper.wait)
        reaper.start()
    reaper.join(timeout=5)
    assert sleeper.returncode == -9
    sleeper.stdout.close()
    assert not group.pids()


def test_groups_of_a_killed_command_are_removed_and_no_others() -> None:
    where = limits()
    killed = (
        "import os, signal, sys\n"
        "from harness.fit import groups, place\n"
        "groups.Group(place.find(), 1 << 27, (0,)).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", killed])
    process.wait()
    assert _of(where, process.pid)
    with Group(where, 128 * MIB, (0,)) as mine:
        assert groups.remove_leftovers(where) >= 1
        assert sorted(_ours(where)) == sorted(map(str, mine.folders))
    assert not _of(where, process.pid)


def test_a_kernel_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    where = limits()
    wrong = Place(version=where.version, memory=where.memory, cpuset=where.cpuset)
    with pytest.raises(DeviceError, match="did not let itself be limited"):
        Group(wrong, 128 * MIB, (8191,)).__enter__()
    assert not _ours(where)


def _tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


_V2 = {
    "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n",
    "proc/self/cgroup": "0::/user.slice/app.slice/run-7.scope\n",
    "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
    "sys/fs/cgroup/cgroup.subtree_control": "cpuset cpu memory pids\n",
    "sys/fs/cgroup/cgroup.procs": "",
    "sys/fs/cgroup/user.slice/cgroup.controllers": "memory pids\n",
    "sys/fs/cgroup/user.slice/cgroup.subtree_control": "memory pids\n",
    "sys/fs/cgroup/user.slice/cgroup.procs": "",
    "sys/fs/cgroup/user.slice/app.slice/cgroup.controllers": "memory pids\n",
    "sys/fs/cgroup/user.slice/app.slice/cgroup.subtree_control": "memory pids\n",
    "sys/fs/cgroup/user.slice/app.slice/cgroup.procs": "",
    "sys/fs/cgroup/user.slice/app.slice/run-7.scope/cgroup.controllers": "memory pids\n",
    "sys/fs/cgroup/user.slice/app.slice/run-7.scope/cgroup.subtree_control": "",
    "sys/fs/cgroup/user.slice/app.slice/run-7.scope/cgroup.procs": "41\n",
}


def test_version_2_makes_groups_beside_its_own(tmp_path: Path) -> None:
    """Not in its own: a group with processes gives no memory to groups below it."""
    root = _tree(tmp_path, _V2)
    found = place.find(root)
    assert found.version == 2
    assert found.memory == root / "sys/fs/cgroup/user.slice/app.slice"
    assert found.cpuset is None


def test_version_2_goes_up_to_where_memory_is_given(tmp_path: Path) -> None:
    files = dict(_V2)
    files["sys/fs/cgroup/user.slice/app.slice/cgroup.subtree_control"] = "pids\n"
    files["sys/fs/cgroup/user.slice/cgroup.subtree_control"] = "pids\n"
    found = place.find(_tree(tmp_path, files))
    assert found.memory == tmp_path / "sys/fs/cgroup"
    assert found.cpuset == found.memory


def test_version_1_is_taken_where_version_2_has_no_memory(tmp_path: Path) -> None:
    files = {
        "proc/self/mounts": (
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
            "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0\n"
            "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n"
        ),
        "proc/self/cgroup": "4:memory:/jobs/one\n3:cpuset:/\n0::/\n",
        "sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n",
        "sys/fs/cgroup/memory/jobs/one/cgroup.procs": "",
        "sys/fs/cgroup/cpuset/cgroup.procs": "",
    }
    found = place.find(_tree(tmp_path, files))
    assert found == Place(
        version=1,
        memory=tmp_path / "sys/fs/cgroup/memory/jobs/one",
        cpuset=tmp_path / "sys/fs/cgroup/cpuset",
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"proc/self/mounts": "tmpfs / tmpfs rw 0 0\n"}, "no control group hierarchy"),
        (
            {
                "proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t60\t0\n",
                "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
                "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
            },
            "cgroup_enable=memory",
        ),
        (
            {
                "proc/self/mounts": "cgroup2 /sys/fs/cgroup cgroup2 ro 0 0\n",
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/cgroup.controllers": "memory\n",
            },
            "systemd-run --user --scope",
        ),
        (
            {
                "proc/self/mounts": "cgroup /sys/fs/cgroup/memory cgroup ro,memory 0 0\n",
                "proc/self/cgroup": "4:memory:/\n",
            },
            "run it as root",
        ),
    ],
)
def test_a_host_without_limits_says_what_would_give_them(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    with pytest.raises(DeviceError) as caught:
        place.find(_tree(tmp_path, files))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


class _Played(Group):
    """A group in a plain folder: the kernel would make its files with it."""

    def play(self) -> Path:
        folder = self.folders[0]
        names = ("memory.max", "memory.swap.max", "memory.oom.group", "cpuset.cpus", "cgroup.procs")
        _tree(folder, dict.fromkeys(names, ""))
        return folder


def test_version_2_writes_the_limits_and_reads_the_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tree(tmp_path, {"cgroup.subtree_control": "memory\n"})
    where = Place(version=2, memory=tmp_path, cpuset=tmp_path)
    group = _Played(where, 300 * MIB, (0, 1))
    folder = group.play()
    monkeypatch.setattr(Path, "mkdir", lambda path: None)
    group.__enter__()
    monkeypatch.undo()
    wrote = {path.name: path.read_text() for path in folder.iterdir()}
    assert wrote == {
        "memory.max": str(300 * MIB),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpuset.cpus": "0,1",
        "cgroup.procs": "",
    }
    assert (tmp_path / "cgroup.subtree_control").read_text().startswith("+cpuset")
    assert group.through()[-2:] == [str(folder / "cgroup.procs"), "--"]
    _tree(
        folder,
        {
            "memory.peak": "314572800\n",
            "memory.events": "low 0\nhigh 0\nmax 43\noom 1\noom_kill 1\noom_group_kill 1\n",
            "memory.stat": "anon 9\nfile 8\npgmajfault 77\nworkingset_refault_file 5\n",
            "memory.swap.current": "0\n",
        },
    )
    found = group.usage()
    assert found.peak_bytes == 300 * MIB
    assert (found.oom_kills, found.major_faults) == (1, 77)
    assert (found.refaults, found.swap_bytes) == (5, 0)
    # a kernel before 5.19 tells no peak: unknown, not zero
    (folder / "memory.peak").unlink()
    assert group.usage().peak_bytes is None


def test_the_room_of_a_host_is_what_is_free_within_its_own_limits(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 10000000 kB\n",
        "group/cgroup.procs": "",
        "group/memory.max": "max\n",
        "group/inner/cgroup.procs": "",
        "group/inner/memory.max": "max\n",
    }
    root = _tree(tmp_path, files)
    where = Place(version=2, memory=root / "group/inner", cpuset=None)
    assert place.room(where, root) == int(0.9 * 10_000_000 * 1024)
    (root / "group/memory.max").write_text("3000000000\n")
    assert place.room(where, root) == 3_000_000_000
