"""Things that are chosen by name (encoders, measures, methods, tasks): one registry each, filled by decorators.

METHODS: Registry[type[Method]] = Registry("method", package="scangen_bundle.methods")

@METHODS.register("plain")
class Plain(Method): ...

METHODS["plain"]   # imports every module of the package first, so that a new file is enough
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from scangen_bundle.errors import InputError

T = TypeVar("T")
Entry = TypeVar("Entry")


class Registry(Mapping[str, T]):
    """Entries by name, in the order of their registration.

    Args:
        noun: what an entry is, for messages, such as "method".
        package: dotted name of a package whose modules register entries; all of them are imported at the first look-up.
    """

    def __init__(self, noun: str, package: str = "") -> None:
        self.noun, self.package = noun, package
        self._entries: dict[str, T] = {}
        self._complete = not package

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """Decorator that enters what it decorates under `name` and returns it unchanged.

        Raises:
            InputError: the name is taken.
        """

        def enter(entry: Entry) -> Entry:
            self.add(name, entry)  # type: ignore[arg-type]
            return entry

        return enter

    def add(self, name: str, entry: T) -> None:
        """Enter `entry` under `name`.

        Raises:
            InputError: the name is taken.
        """
        if name in self._entries:
            raise InputError(f"{self.noun} {name!r}", "this name is registered already", "choose another name")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> T:
        """The entry called `name`.

        Raises:
            InputError: there is none; the message lists the names that exist and the nearest ones.
        """
        self._import_package()
        if name not in self._entries:
            raise InputError(f"{self.noun} {name!r}", f"no {self.noun} has this name", self._suggest(name))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._import_package()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._import_package()
        return iter(self._entries)

    def __len__(self) -> int:
        self._import_package()
        return len(self._entries)

    def _suggest(self, name: str) -> str:
        near = difflib.get_close_matches(str(name).lower(), self._entries, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        return f"{hint}the registered ones are {', '.join(self._entries) or 'none'}"

    def _import_package(self) -> None:
        if self._complete:
            return
        self._complete = True  # before the imports: a module may look up an entry while it is imported
        package = importlib.import_module(self.package)
        for module in pkgutil.walk_packages(package.__path__, f"{self.package}."):
            importlib.import_module(module.name)
