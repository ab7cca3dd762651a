"""A store below a prefix of an S3 bucket, Amazon's or any other that speaks its protocol.

An object appears whole or not at all and is durable once the service has acknowledged it. There is
no lock: names carry digests of their content, so writing the same one twice is harmless.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import StoreError, UsageError
from results.storage import UNFINISHED, Entry, MissingError, shown
from results.storage.refusals import explained, missing
from results.storage.settings import Settings, settings

if TYPE_CHECKING:
    import pyarrow.fs

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ATTEMPTS = 3
_CONNECT_S = 2.0
# Three silences and the pauses between the attempts stay below ten seconds.
_FIRST_SILENCE_S = 2.5
_SILENCE_S = 20.0
_AT_ONCE = 16


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket, and the prefix of a store in it: empty, or without slashes at its ends."""

    bucket: str
    prefix: str

    @property
    def base(self) -> str:
        """The path as Arrow's filesystem wants it."""
        return f"{self.bucket}/{self.prefix}".rstrip("/")


def location(url: str) -> Location:
    """Return the bucket and prefix of s3://bucket/prefix; UsageError for anything else."""
    scheme, _, rest = url.partition("://")
    if scheme != "s3":
        raise UsageError(
            f"unknown kind of store {shown(url)!r}", "name a directory or s3://bucket/prefix"
        )
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket:
        raise UsageError(
            "a user or password does not belong into the URL of a store",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        )
    if re.search(r"[?#]", url):
        raise UsageError(
            f"the URL of a store takes no parameters: {url!r}",
            "name an endpoint with AWS_ENDPOINT_URL and a region with AWS_REGION",
        )
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"not the name of a bucket: {bucket!r}", "write s3://bucket/prefix")
    prefix = prefix.strip("/")
    if prefix and not all(_usable(part) for part in prefix.split("/")):
        raise UsageError(f"not a prefix: {prefix!r}", "write s3://bucket/prefix")
    return Location(bucket=bucket, prefix=prefix)


def _usable(part: str) -> bool:
    return part not in ("", ".", "..") and part.isprintable()


class BucketStorage:
    """The objects below one prefix."""

    def __init__(self, place: Location) -> None:
        """Connect and ask once; StoreError unless the bucket is there and may be listed."""
        self._place = place
        self._settings = settings()
        with self.translated("open"):
            self._fs = _connected(self._settings, _FIRST_SILENCE_S)
            if not self._listed("", recursive=False) and self._bucket_is_missing():
                raise missing(f"s3://{place.bucket}")
            self._fs = _connected(self._settings, _SILENCE_S)

    @property
    def label(self) -> str:
        """The URL."""
        return f"s3://{self._place.base}"

    @property
    def root(self) -> None:
        """Nothing: a bucket is no directory of this machine."""
        return

    def walk(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects below `prefix`, sorted like a directory."""
        with self.translated("read", prefix):
            found = self._listed(prefix, recursive=True)
        cut = len(self._place.base) + 1
        entries = [
            Entry(path=info.path[cut:], size_bytes=info.size, mtime_ns=info.mtime_ns)
            for info in found
            if info.type.name == "File" and not info.base_name.startswith(UNFINISHED)
        ]
        yield from sorted(entries, key=lambda entry: entry.path.split("/"))

    def read(self, path: str) -> bytes:
        """Return the bytes of an object; MissingError where there is none."""
        with self.translated("read", path), self._fs.open_input_file(self._at(path)) as source:
            data: bytes = source.read()
        return data

    def publish(self, path: str, data: bytes) -> bool:
        """Put an object unless there is one of that name; False if there is.

        Two writers that both find it missing put the same bytes: the name is their digest.
        """
        with self.translated("write", path):
            new = not self._is(self._at(path), "File")
            if new:
                self._put(path, data)
        return new

    def replace(self, path: str, data: bytes) -> None:
        """Put an object over what is there."""
        with self.translated("write", path):
            self._put(path, data)

    def move(self, path: str, to: str) -> None:
        """Copy an object within the service and remove it; doing it again completes it."""
        with self.translated("move", path):
            taken = self._is(self._at(to), "File")
        if taken:
            if self.read(path) != self.read(to):
                raise StoreError(
                    f"cannot move {self._url(path)!r}: {self._url(to)!r} holds something else",
                    "move that object away",
                )
        else:
            with self.translated("move", path):
                self._fs.copy_file(self._at(path), self._at(to))
        self.remove(path)

    def remove(self, *paths: str) -> None:
        """Remove objects, several at once."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self._remove, paths):
                pass

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """Return Arrow's S3 filesystem and bucket/prefix."""
        return self._fs, self._place.base

    def translated(self, action: str, path: str = "") -> contextlib.AbstractContextManager[None]:
        """Turn what the service refuses in the block into StoreErrors that say how to go on."""
        return explained(action, self._url(path), self._settings.name)

    def _remove(self, path: str) -> None:
        with contextlib.suppress(MissingError), self.translated("remove", path):
            self._fs.delete_file(self._at(path))

    def _bucket_is_missing(self) -> bool:
        """Tell an empty listing from that of a bucket that is not there: Arrow does not.

        Who may list it need not have the right to ask for the bucket itself: then it is there.
        """
        try:
            return not self._is(self._place.bucket, "Directory")
        except OSError:
            return False

    def _is(self, place: str, kind: str) -> bool:
        """Tell whether there is a File or a Directory of that name."""
        return bool(self._fs.get_file_info(place).type.name == kind)

    def _put(self, path: str, data: bytes) -> None:
        with self._fs.open_output_stream(self._at(path)) as sink:
            sink.write(data)

    def _listed(self, prefix: str, recursive: bool) -> Sequence[Any]:
        """Return Arrow's FileInfo of everything below a prefix."""
        from pyarrow import fs

        wanted = fs.FileSelector(self._at(prefix), allow_not_found=True, recursive=recursive)
        found: list[Any] = self._fs.get_file_info(wanted)
        return found

    def _at(self, path: str) -> str:
        return f"{self._place.base}/{path}".rstrip("/")

    def _url(self, path: str) -> str:
        return f"s3://{self._at(path)}"


def _connected(found: Settings, silence_s: float) -> Any:
    """Return Arrow's filesystem, with bounded waits and retries and a silent SDK.

    `silence_s` is how long a connection may bring no byte before an attempt is given up.
    """
    from pyarrow import fs

    _silence()
    return fs.S3FileSystem(
        region=found.region,
        scheme=found.scheme,
        endpoint_override=found.endpoint,
        connect_timeout=_CONNECT_S,
        request_timeout=silence_s,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        background_writes=False,
        allow_delayed_open=True,
        **({"tls_ca_file_path": found.certificates} if found.certificates else {}),
    )


@functools.cache
def _silence() -> None:
    """Keep the SDK's log from the user's terminal: what matters comes as an exception."""
    import pyarrow as pa
    from pyarrow import fs

    with contextlib.suppress(pa.ArrowInvalid):  # another user of Arrow was first
        fs.initialize_s3(fs.S3LogLevel.Off)
