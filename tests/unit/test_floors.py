"""What import-linter's contracts do not say: faces of packages, names of classes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mailguard

SOURCE = Path(mailguard.__file__).parent
WITH_CODE = {  # packages whose own file holds more than a docstring
    "mailguard": {"__version__"},
    "mailguard.checks": {"CHECKS"},  # the list that a new check is one line of
    "mailguard.cli": {"main"},  # the entry point, which imports the rest when it is called
    "mailguard.adapters.database.migrations": {"upgrade", "_ADVISORY_LOCK"},
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of ours by its name; a package's own file by the package's."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ("mailguard", *path.relative_to(SOURCE).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def defined(statements: list[ast.stmt]) -> Iterator[str]:
    """The names that a module makes itself; what it imports is not among them."""
    for statement in statements:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Assign() | ast.AnnAssign():
                targets = statement.targets if isinstance(statement, ast.Assign) else []
                for target in targets or [getattr(statement, "target", None)]:
                    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
            case ast.If() | ast.Try():
                yield from defined([*statement.body, *statement.orelse])


def test_the_face_of_a_package_is_a_docstring() -> None:
    packages = {
        ".".join(("mailguard", *path.parent.relative_to(SOURCE).parts))
        for path in SOURCE.rglob("__init__.py")
    }
    faces = {name: modules()[name] for name in packages}
    assert [name for name, face in faces.items() if not ast.get_docstring(face)] == []
    filled = {name: set(defined(face.body)) for name, face in faces.items() if face.body[1:]}
    assert filled == WITH_CODE


def test_a_name_is_imported_from_where_it_is_made() -> None:
    made = {name: set(defined(module.body)) for name, module in modules().items()}
    elsewhere = [
        f"{name}: {node.module}.{alias.name}"
        for name, module in modules().items()
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module in made
        for alias in node.names
        if f"{node.module}.{alias.name}" not in made and alias.name not in made[node.module]
    ]
    assert elsewhere == []


def test_a_public_class_has_its_name_for_itself() -> None:
    places = defaultdict(list)
    for name, module in modules().items():
        for statement in module.body:
            if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
                places[statement.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
