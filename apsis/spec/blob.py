"""Blob ids as git makes them, so that a file has the same id in a plain directory and in a repository."""

import hashlib


def blob_id(data: bytes) -> str:
    """Return the id that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
