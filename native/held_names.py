"""Rewrite a module for mypyc so that what it imports from the interpreter is looked up once, not at every use.

Compiled, a name that comes from a module which is not compiled itself (a msgspec struct, a function of the standard
library) is fetched from the module's dictionary whenever it is reached, some 110 instructions, 70 times an event. A
`Final` of the module is a static pointer. So this adds one for each such name and lets the functions use it:

    from hashlib import blake2b                    from hashlib import blake2b; _held_blake2b: _Final = blake2b
    def key(text): return blake2b(text)     ->     def key(text): return _held_blake2b(text)

Only the copy that is compiled is rewritten, and no line moves. Types stay where the type checker wants the class
itself: in annotations, patterns, `except` and `cast`.
"""

import ast
from collections.abc import Collection, Iterator

TYPING = frozenset({"__future__", "abc", "collections.abc", "dataclasses", "enum", "types", "typing"})
"""What they give is for the type checker and for declarations."""


def hold(source: str, interpreted: Collection[str]) -> str:
    """The source of a module, rewritten; `interpreted`: the full names of those of ours that must be looked up.

    A name of ours that is not among them belongs to a compiled module, which mypyc reaches directly, or is a module.
    """
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    if not imports:
        return source
    names = {
        name.asname or name.name
        for node in imports
        if node.module not in TYPING
        for name in node.names
        if not (node.module or "").startswith("loyalty_stream") or f"{node.module}.{name.name}" in interpreted
    }
    uses = [
        use
        for node in tree.body
        for function in _functions(node)
        for use in _uses(function, names - _bound(function))
    ]
    lines = [line.encode() for line in source.split("\n")]
    for line, column in sorted({(use.lineno, use.col_offset) for use in uses}, reverse=True):
        text = lines[line - 1]
        lines[line - 1] = text[:column] + b"_held_" + text[column:]
    last = imports[-1].end_lineno or 0
    held = [f"_held_{name}: _Final = {name}" for name in sorted({use.id for use in uses})]
    if held:
        added = "; ".join(["", "from typing import Final as _Final", *held])
        end = imports[-1].end_col_offset or 0
        lines[last - 1] = lines[last - 1][:end] + added.encode() + lines[last - 1][end:]
    return b"\n".join(lines).decode()


def defined(source: str) -> set[str]:
    """The names that a module defines at its top."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node
    elif isinstance(node, ast.ClassDef):
        for each in node.body:
            yield from _functions(each)


def _bound(function: ast.AST) -> set[str]:
    """Names that mean something else inside the function."""
    bound = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    bound |= {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    return bound | {
        alias.asname or alias.name
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def _uses(function: ast.FunctionDef | ast.AsyncFunctionDef, names: Collection[str]) -> Iterator[ast.Name]:
    for statement in function.body:
        yield from _uses_in(statement, names)


def _uses_in(node: ast.AST, names: Collection[str]) -> Iterator[ast.Name]:
    match node:
        case ast.Name():
            if node.id in names:
                yield node
        case ast.MatchClass() | ast.JoinedStr():
            pass  # the places in f-strings are not told before Python 3.12
        case ast.Call(func=ast.Name(id="cast")):
            pass
        case ast.AnnAssign():
            if node.value is not None:
                yield from _uses_in(node.value, names)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from _uses(node, names)
        case ast.ExceptHandler():
            for statement in node.body:
                yield from _uses_in(statement, names)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _uses_in(child, names)
