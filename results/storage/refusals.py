"""Why a bucket could not be used: what Arrow and the service say, turned into one sentence."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from harness.errors import StoreError
from results.storage import MissingError

_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile in AWS_PROFILE"
_RIGHTS = (
    "sign in as a user with s3:ListBucket and s3:GetObject, and to merge into it s3:PutObject"
    " and s3:DeleteObject"
)
_ENDPOINT = "check AWS_ENDPOINT_URL and the network"
_LATER = "try again in a while"

_NO_BUCKET = ("there is no such bucket", "create it, or check the name and AWS_ENDPOINT_URL")

# What the error text holds -> the cause and the next step; the first that is found counts.
_CAUSES = (
    (r"NO_SUCH_BUCKET|bucket does not exist", *_NO_BUCKET),
    (r"INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|INVALID_CLIENT_TOKEN",
     "the access key is not known there", _KEYS),
    (r"SIGNATURE_DOES_NOT_MATCH|SignatureDoesNotMatch",
     "the secret key is not that of the access key", _KEYS),
    (r"EXPIRED|ExpiredToken|InvalidToken", "the credentials have expired",
     "sign in again, for example with aws sso login"),
    (r"TIME_TOO_SKEWED|TimeTooSkewed", "this machine's clock is wrong", "set the clock"),
    (r"PERMANENT_REDIRECT|PermanentRedirect|AuthorizationHeaderMalformed|HTTP status 301|"
     r"region this bucket is located", "the bucket lies in another region", "set AWS_REGION"),
    (r"ACCESS_DENIED|AccessDenied|HTTP status 40[13]", "there is no right to do that", _RIGHTS),
    (r"curlCode: 6\b", "no address is known for {endpoint}", _ENDPOINT),
    (r"curlCode: 7\b", "nothing listens at {endpoint}", _ENDPOINT),
    (r"curlCode: 28\b|REQUEST_TIMEOUT", "{endpoint} does not answer", _ENDPOINT),
    (r"curlCode: (35|51|60|77)\b", "the certificate of {endpoint} is not trusted",
     "name the file of trusted certificates with AWS_CA_BUNDLE"),
    (r"NETWORK_CONNECTION|curlCode", "{endpoint} cannot be reached", _ENDPOINT),
    (r"SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|HTTP status 5", "the service cannot serve it",
     _LATER),
)  # fmt: skip


_OF_THE_PLACE = re.compile(r"AWS Error|curlCode|HTTP status|S3")


@contextlib.contextmanager
def explained(action: str, place: str, endpoint: str) -> Iterator[None]:
    """Turn an error of the service in the block into a StoreError; MissingError for no object.

    `action` and `place` say what failed: cannot <action> 's3://...'. Arrow reports parquet that it
    cannot read as OSError, too: that passes.
    """
    try:
        yield
    except OSError as error:
        told = " ".join(str(error).split())
        failed = f"cannot {action} {place!r}"
        for pattern, cause, advice in _CAUSES:
            if re.search(pattern, told):
                raise StoreError(f"{failed}: {cause.format(endpoint=endpoint)}", advice) from error
        if isinstance(error, FileNotFoundError) or "NO_SUCH_KEY" in told:
            raise MissingError(
                f"{failed}: it is not there", "another process may have moved it, so ask again"
            ) from error
        if _OF_THE_PLACE.search(told):
            raise StoreError(f"{failed}: {told}", _LATER) from error
        raise


def missing(bucket: str) -> StoreError:
    """Return the error for a bucket that is not there."""
    cause, advice = _NO_BUCKET
    return StoreError(f"cannot open {bucket!r}: {cause}", advice)
