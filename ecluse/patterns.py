"""Regular expressions that are compiled when they are first used: most commands need few of those that they load."""

from __future__ import annotations

import re
from types import ModuleType
from typing import TYPE_CHECKING, Any, AnyStr

if TYPE_CHECKING:

    def expression(shape: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """``re.compile(shape, flags)``, when it is first used."""
        return re.compile(shape, flags)

else:

    def expression(shape: Any, flags: int = 0) -> _Later:
        """``re.compile(shape, flags)``, when it is first used."""
        return _Later(shape, flags)


class _Later:
    """Stands for a compiled expression; each method is looked up once."""

    def __init__(self, shape: Any, flags: int) -> None:
        self._shape, self._flags = shape, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(re.compile(self._shape, self._flags), name)  # the module keeps what it compiled
        setattr(self, name, found)
        return found


def prepare(*modules: ModuleType) -> None:
    """Compile the expressions of ``modules`` now, because there is nothing better to do: something else is waited for."""
    for module in modules:
        for value in vars(module).values():
            for one in value if isinstance(value, tuple) else (value,):
                for part in one if isinstance(one, tuple) else (one,):
                    if isinstance(part, _Later):
                        part.search  # noqa: B018 - what is asked of it makes it compile
