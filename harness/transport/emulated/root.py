"""Build the file tree that emulated programs see as their system: no right is needed, and no hook
of any package runs.

Packages are fetched and checked by apt in folders of its own and unpacked beside the target, which
takes its name when it is whole. What was downloaded for a root that was not finished is kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from harness.errors import StoreError, UsageError
from harness.transport.emulated.recipe import Recipe

# Where the host's files and folders are mounted when a program starts in the root.
FOLDERS = ("proc", "sys", "dev/shm", "tmp", "board", "exchange")
FILES = ("dev/null", "dev/zero", "dev/random", "dev/urandom", "emulator")
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_NEEDED = {"apt-get": "apt", "dpkg-deb": "dpkg"}
_UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
_TIMEOUT_S = 1800.0
_SITE = "usr/lib/python3/dist-packages"


def build(recipe: Recipe, cache: Path, say: Callable[[str], None]) -> Path:
    """Return the root of `recipe` below `cache`, building it first where it is not there yet.

    Tells `say` when it builds. Raises UsageError where a program, the keys of Debian or the network
    is missing, StoreError where the cache cannot take it.
    """
    target = cache / "roots" / recipe.name
    if target.is_dir():
        return target
    _check_programs()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if not target.is_dir():
                say(f"building a root for {recipe.arch}: packages and wheels, about 150 MB")
                _build(recipe, target)
    except OSError as error:
        raise StoreError(
            f"cannot build {str(target)!r}: {error.strerror}",
            "free some space there, or name another directory in BOARDMARK_CACHE",
        ) from error
    return target


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep a second process from building the same root; a dead owner holds nothing."""
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_programs() -> None:
    for program, package in _NEEDED.items():
        if shutil.which(program) is None:
            raise UsageError(
                f"an emulated root is built with {program}, which is not here",
                f"install the package {package}, or run on a Debian or Ubuntu system",
            )
    if not _KEYS.exists():
        raise UsageError(
            f"the keys that Debian signs its packages with are not in {_KEYS}",
            "install the package debian-archive-keyring",
        )


def _build(recipe: Recipe, target: Path) -> None:
    """Build beside the target and rename: a root is whole or not there."""
    parts, beginning = target.with_suffix(".parts"), target.with_suffix(".part")
    shutil.rmtree(beginning, ignore_errors=True)
    beginning.mkdir()
    for package in _packages(recipe, parts):
        _run(["dpkg-deb", "-x", str(package), str(beginning)], f"unpack {package.name}")
    for name in _UNREAD:
        shutil.rmtree(beginning / name, ignore_errors=True)
    _wheels(recipe, beginning / _SITE)
    for name in FOLDERS:
        (beginning / name).mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (beginning / name).touch()
    (beginning / "recipe.json").write_bytes(msgspec.json.encode(recipe))
    beginning.rename(target)
    shutil.rmtree(parts, ignore_errors=True)


def _packages(recipe: Recipe, parts: Path) -> list[Path]:
    """Return the package files: what the recipe names and everything that it depends on."""
    archives = parts / "archives"
    for name in ("lists/partial", "archives/partial", "etc"):
        (parts / name).mkdir(parents=True, exist_ok=True)
    (parts / "status").touch()
    source = f"deb [signed-by={_KEYS}] {_mirror(recipe.release)} {recipe.release} main\n"
    (parts / "sources.list").write_text(source, encoding="utf-8")
    (parts / "apt.conf").write_text(_configuration(recipe, parts), encoding="utf-8")
    environment = {**os.environ, "APT_CONFIG": str(parts / "apt.conf"), "LC_ALL": "C.UTF-8"}
    _run(["apt-get", "-q", "update"], "fetch Debian's list of packages", environment)
    words = ["apt-get", "-q", "-y", "--download-only", "install", *recipe.packages]
    _run(words, "fetch Debian's packages", environment)
    return sorted(archives.glob("*.deb"))


def _mirror(release: str) -> str:
    """Return where Debian's packages are: as the user says, else where apt gets this host's own."""
    named = os.environ.get("BOARDMARK_DEBIAN_MIRROR")
    if named:
        return named
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)", "Created-By: Packages"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        text=True,
    ).stdout
    for line in told.splitlines():
        site, _, its_release = line.rpartition(" ")
        if its_release == release:
            return site
    raise UsageError(
        f"apt has no source of Debian {release} here",
        "name a mirror of Debian in BOARDMARK_DEBIAN_MIRROR",
    )


def _configuration(recipe: Recipe, parts: Path) -> str:
    """Return apt's settings: nothing of this host's own packages is read or changed."""
    arch = recipe.debian_arch
    settings = {
        "APT::Architecture": arch,
        "APT::Architectures::": arch,
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "APT::Update::Error-Mode": "any",
        "Debug::NoLocking": "true",
        "Dir::Etc": str(parts / "etc"),
        "Dir::Etc::SourceList": str(parts / "sources.list"),
        "Dir::Etc::SourceParts": "-",
        "Dir::Etc::Parts": "-",
        "Dir::Etc::PreferencesParts": "-",
        "Dir::State": str(parts),
        "Dir::State::lists": str(parts / "lists"),
        "Dir::State::status": str(parts / "status"),
        "Dir::Cache": str(parts),
        "Dir::Cache::archives": str(parts / "archives"),
    }
    return "".join(f'{name} "{value}";\n' for name, value in settings.items())


def _wheels(recipe: Recipe, site: Path) -> None:
    """Unpack the wheels of the recipe, and nothing that they would bring along."""
    if not recipe.wheels:
        return
    platforms = [word for tag in recipe.platforms for word in ("--platform", tag)]
    _run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile",
         "--only-binary=:all:", "--disable-pip-version-check", "--root-user-action=ignore",
         "--implementation", "cp", "--python-version", recipe.python, *platforms,
         "--target", str(site), *recipe.wheels],
        f"fetch the wheels {', '.join(recipe.wheels)} for {recipe.arch}",
    )  # fmt: skip


def _run(words: Sequence[str], what: str, environment: dict[str, str] | None = None) -> None:
    """Run a program to its end; UsageError says what it was to do and its last words."""
    try:
        done = subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"cannot {what}: no end after {_TIMEOUT_S / 60:.0f} minutes") from error
    if done.returncode:
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
        said = [line for line in lines if line.startswith(("E:", "ERROR"))] or lines
        reason = said[0][:300] if said else f"exit status {done.returncode}"
        raise UsageError(f"cannot {what}: {reason}", "the same command goes on where this ended")
