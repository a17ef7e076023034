"""What compiled code remembers of structs (`native/structs.h`) is what CPython would find each time."""

import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from msgspec import Struct

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "native"))

import build  # noqa: E402 - no package: it is a tool's folder

pytestmark = pytest.mark.skipif(
    "CI" not in os.environ and shutil.which("cc") is None, reason="no C compiler is here"
)

SOURCE = """
from typing import Any


def read(instance: Any) -> Any:
    return instance.value


def is_a(instance: object, kind: type) -> bool:
    return isinstance(instance, kind)
"""


class First(Struct):
    value: object


class Second(Struct, frozen=True):
    other: int
    value: object


class Derived(First):
    more: int = 0


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value


class Asked:
    """Says what it is by a property, as a test's stand-in does."""

    @property
    def value(self) -> object:
        return "asked"

    @property
    def __class__(self) -> type:
        return First


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "reads_structs.py").write_text(SOURCE)
    build.compile_modules(folder, ["reads_structs.py"])
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module("reads_structs")
    finally:
        sys.path.remove(str(folder))
    assert not module.__file__.endswith(".py")
    return module


def test_one_place_reads_the_fields_of_whatever_comes(compiled):
    values = [object() for _ in range(6)]
    instances = [First(values[0]), Second(1, values[1]), Plain(values[2]), Derived(values[3]), Asked()]
    for _ in range(3):
        for instance in (*instances, *reversed(instances)):
            assert compiled.read(instance) is instance.value
    assert compiled.read(First) is First.value  # the class itself, whose field is a descriptor
    for absent in (None, 1, object()):
        with pytest.raises(AttributeError):
            compiled.read(absent)


def test_a_field_that_was_deleted_is_missed(compiled):
    instance = First(1)
    assert compiled.read(instance) == 1
    del instance.value
    with pytest.raises(AttributeError):
        compiled.read(instance)


def test_a_class_that_is_changed_is_looked_at_anew(compiled):
    class Changing(Struct):
        value: int

    instance = Changing(1)
    assert [compiled.read(instance), compiled.read(instance)] == [1, 1]
    Changing.value = property(lambda _: 2)
    assert [compiled.read(instance), compiled.read(instance)] == [2, 2]


def test_it_tells_what_an_instance_is(compiled):
    instances = [First(1), Second(1, 2), Derived(1), Plain(1), Asked(), None, 1]
    for _ in range(2):
        for instance in instances:
            for kind in (First, Second, Derived, Struct, Plain, object, type(None), int):
                assert compiled.is_a(instance, kind) is isinstance(instance, kind)
