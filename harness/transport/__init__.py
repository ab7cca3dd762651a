"""Reach where a case runs: put artifacts there, send requests to an agent, hand its events back.

A transport offers identify(), probe(backend), put(files) -> where they are over there,
run(request) -> events and close(); the protocol is `harness.session.boards.Transport`.
"""
