"""Passwords in addresses: they are needed to connect, and shown nowhere."""

from __future__ import annotations

import re

# user:password@ of an address; the password may hold what an address should quote, but no slash and no blank
_CREDENTIALS = re.compile(r"(?P<start>\w[\w+.-]*://[^\s/@:]*):[^\s/]*@")


def masked(text: str) -> str:
    """The text with `***` in place of each password in an address such as `https://user:password@host`."""
    return _CREDENTIALS.sub(r"\g<start>:***@", text)
