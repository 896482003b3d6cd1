"""Addresses of git repositories: which are safe to hand to git, and how they look without credentials."""

import re
from typing import Final
from urllib.parse import unquote

from apsis.domain.errors import BadRequest

_HELPER: Final = re.compile(r"[\w+.-]+::")
"""`ext::sh -c …` and its like: git would run a program of the address's choice."""

_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/?#]*)@)?(?P<rest>[^?#]*)")
_SCP_LIKE: Final = re.compile(r"[^/:=\s]+:(?!:)")
_USERINFO: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/\s@'\"]*@")
_QUERY: Final = re.compile(r"(://[^\s?'\"]*)\?[^\s'\"]*")
"""git puts `/info/refs` behind a query as it stands, tokens and all."""


def is_url(text: str) -> bool:
    """Return whether git would read the text as an address rather than as a path."""
    return "://" in text or _HELPER.match(text) is not None or _SCP_LIKE.match(text) is not None


def check_url(url: str) -> str:
    """Return the address; raise BadRequest if git could take it for an option or for a program to run."""
    shown = repr(without_credentials(url))
    if not url or url.startswith("-"):
        raise BadRequest(f"{shown} is no address of a git repository")
    if _HELPER.match(url):
        raise BadRequest(f"{shown} names a program instead of a repository", help="Use https://, ssh:// or file://.")
    if any(ord(char) < ord(" ") or ord(char) == 0x7F for char in url):
        raise BadRequest(f"{shown} has control characters in it")
    return url


def check_branch(branch: str) -> str:
    """Return the branch's name; raise BadRequest if git could take it for an option or a revision expression."""
    bad = (
        not branch
        or branch.startswith(("-", "/"))
        or branch.endswith(("/", ".", ".lock"))
        or ".." in branch
        or "@{" in branch
        or any(char in ' ~^:?*[\\"' or ord(char) < ord(" ") for char in branch)
    )
    if bad:
        raise BadRequest(f"{branch!r} is no name of a branch")
    return branch


def without_credentials(url: str) -> str:
    """Return the address as it may be shown: without password, token and query; ssh keeps its user."""
    parts = _SCHEME.match(url)
    if parts is None:
        return url
    user = parts["user"]
    keep = f"{user.partition(':')[0]}@" if user and parts["scheme"].lower() in {"ssh", "git+ssh"} else ""
    return f"{parts['scheme']}://{keep}{parts['rest']}"


def hide_credentials(text: str, url: str) -> str:
    """Return what git said about the address without the credentials in it, however git spelled them."""
    text = text.replace(url, without_credentials(url))
    parts = _SCHEME.match(url)
    if parts is not None and parts["user"]:
        _, colon, password = parts["user"].partition(":")
        secret = password if colon else parts["user"]
        shown_users = {"git", ""}  # `ssh://git@host` is no secret, and the word would be hidden everywhere
        for spelled in {secret, unquote(secret)} - shown_users:
            text = text.replace(spelled, "***")
    text = _QUERY.sub(r"\1", text)
    return _USERINFO.sub(lambda found: found[0] if found["scheme"] == "ssh://" else found["scheme"], text)
