"""Get the Python that a stock JetPack 4.6 has: the 3.6 of Ubuntu 18.04, from Ubuntu's archive.

Where that archive is, debootstrap knows, or $BOARDMARK_UBUNTU_MIRROR says.

apt fetches the packages into the cache, with settings of its own, so that nothing of this machine
changes; what came is compared with the digests below and unpacked, never installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from harness import places

_SUITES = ("bionic-updates", "bionic")
_SOURCE = "deb [trusted=yes arch=amd64] {mirror} {suite} main\n"
_KNOWN_BY = Path("/usr/share/debootstrap/scripts/bionic")
_MIRROR = re.compile(r"^\s*\*\)\s*default_mirror (\S+)", re.MULTILINE)
# The archive's key is not on every machine: the digests are what the packages are trusted by.
PACKAGES = {
    "python3.6-minimal": "c3667fc0122006d01167533c100461a8325646beecd007b33ccb4949a460302f",
    "libpython3.6-minimal": "b6cf05fd4bbf9f3534284a8617e8fb561f1d810bb28e31c2b99e6b05c09dd223",
    "libpython3.6-stdlib": "93b8849a7c3099090c79042bcd4d61925c3a05826d91b4ba884fcd0d8157c291",
    "libffi6": "fa26945b0aadfc72ec623c68be9cc59235a7fe42e2388f7015fd131f4fb06dc9",
    "libssl1.1": "986727f5a99088bef98971edfcd9567f5693b5e941aa241894fce1020c7015a0",
}
_CONFIGURATION = """
Dir::Etc "{0}/etc";
Dir::Etc::sourcelist "{0}/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::parts "-";
Dir::Etc::preferencesparts "-";
Dir::State "{0}/state";
Dir::State::status "{0}/state/status";
Dir::Cache "{0}/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""


class Unavailable(Exception):
    """The interpreter cannot be had here; the message says why."""


def folder() -> Path:
    """Return where the unpacked packages lie."""
    return places.cache() / "oldest-python"


def present() -> Path | None:
    """Return the interpreter if it was fetched before."""
    python = folder() / "root/usr/bin/python3.6"
    return python if python.exists() else None


def environment() -> dict[str, str]:
    """Return the environment that lets it find its own libraries."""
    libraries = folder() / "root/usr/lib/x86_64-linux-gnu"
    return {**os.environ, "LD_LIBRARY_PATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "1"}


def fetch() -> Path:
    """Return the interpreter, fetched now if it has to be; raise Unavailable with the reason."""
    found = present()
    if found:
        return found
    if platform.machine() != "x86_64" or not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise Unavailable("the packages are for x86_64 and are fetched by apt-get")
    work = folder() / "work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        for path in _download(work):
            _run(["dpkg-deb", "-x", path.name, "../../root"], path.parent, {})
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder() / "root/usr/bin/python3.6"


def _download(work: Path) -> list[Path]:
    """Return the packages' files, each compared with its digest."""
    for name in ("etc", "state/lists/partial", "cache/archives/partial", "packages"):
        (work / name).mkdir(parents=True)
    (work / "state/status").touch()
    sources = "".join(_SOURCE.format(mirror=_mirror(), suite=suite) for suite in _SUITES)
    (work / "etc/sources.list").write_text(sources)
    (work / "apt.conf").write_text(_CONFIGURATION.format(work))
    settings = {"APT_CONFIG": str(work / "apt.conf")}
    _run(["apt-get", "-qq", "update"], work, settings)
    _run(["apt-get", "-qq", "download", *PACKAGES], work / "packages", settings)
    found = []
    for name, digest in PACKAGES.items():
        (path,) = (work / "packages").glob(f"{name}_*.deb")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise Unavailable(f"{path.name} is not the file whose digest is known")
        found.append(path)
    return found


def _mirror() -> str:
    """Return where Ubuntu's archive is; raise Unavailable where nobody knows."""
    named = os.environ.get("BOARDMARK_UBUNTU_MIRROR")
    if named:
        return named
    known = _KNOWN_BY.read_text(encoding="utf-8") if _KNOWN_BY.exists() else ""
    found = _MIRROR.search(known)
    if found is None:
        raise Unavailable("install debootstrap, or name a mirror in BOARDMARK_UBUNTU_MIRROR")
    return found.group(1)


def _run(words: list[str], where: Path, settings: dict[str, str]) -> None:
    done = subprocess.run(
        words,
        cwd=where,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        last = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[-1]
        raise Unavailable(f"{words[0]}: {last}")
