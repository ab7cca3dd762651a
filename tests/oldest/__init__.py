"""The agent on the oldest Python it promises to run on: `make test-oldest`."""
