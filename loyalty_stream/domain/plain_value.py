"""What makes a plain class a value as a struct is one: equal, shown and copied by its fields.

Plain classes stand where compiled code asks often: it reaches their fields without a look-up. Structs stay
interpreted.
"""

from typing import ClassVar

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class PlainValue:
    """Equal, shown and copied by the values of `names`, which are the parameters of its constructor, in order."""

    names: ClassVar[tuple[str, ...]] = ()

    def values(self) -> tuple[object, ...]:
        """The values of its fields, in order."""
        return tuple([getattr(self, name) for name in self.names])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PlainValue) or other.__class__ is not self.__class__:
            return NotImplemented
        return self.values() == other.values()

    __hash__ = None  # type: ignore[assignment]  # as of everything that can change

    def __repr__(self) -> str:
        told = [f"{name}={getattr(self, name)!r}" for name in self.names]
        return f"{self.__class__.__name__}({', '.join(told)})"

    def __reduce__(self) -> tuple[object, ...]:
        return self.__class__, self.values()
