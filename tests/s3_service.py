"""A real S3 service on the loopback: HTTP, signatures and rights as Amazon checks them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
ALL_RIGHTS = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")


class Service:
    """The service at `endpoint`; everybody may do everything until rights are enforced."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.s3 = self._client("s3")

    def _client(self, name: str) -> Any:
        return boto3.client(
            name,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="root",
            aws_secret_access_key="root",
        )

    def bucket(self) -> str:
        """Return the name of a new bucket."""
        name = f"lab-{secrets.token_hex(6)}"
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def keys(self, bucket: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def user(self, *rights: str) -> dict[str, str]:
        """Return the variables that sign a new user with these rights in."""
        iam, name = self._client("iam"), f"user-{secrets.token_hex(6)}"
        iam.create_user(UserName=name)
        if rights:
            policy = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": list(rights), "Resource": "*"}],
            }
            iam.put_user_policy(
                UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy)
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    @contextlib.contextmanager
    def enforced(self) -> Iterator[None]:
        """Check keys, signatures and rights of every request in the block."""
        self._unchecked("0")
        try:
            yield
        finally:
            self._unchecked("inf")

    def _unchecked(self, requests: str) -> None:
        asked = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth",
            data=requests.encode(),
            headers={"Content-Type": "text/plain"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            answer.read()

    def variables(self) -> dict[str, str]:
        """Return the variables that lead to this service, with keys that are not checked."""
        return {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "root",
            "AWS_SECRET_ACCESS_KEY": "root",
        }


@contextlib.contextmanager
def served() -> Iterator[Service]:
    """Serve on a free port for the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Service(f"http://{host}:{port}")
    finally:
        server.stop()
