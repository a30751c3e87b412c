"""What import-linter's contracts do not say: faces of packages, names of classes, and the place of
every workflow, so that a further one needs no line there."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import mailguard

SOURCE = Path(mailguard.__file__).parent
WITH_CODE = {  # packages whose own file holds more than a docstring
    "mailguard": {"__version__"},
    "mailguard.checks": {"CHECKS"},  # the list that a new check is one line of
    "mailguard.cli": {"main"},  # the entry point, which imports the rest when it is called
    "mailguard.adapters.database.migrations": {"upgrade", "_ADVISORY_LOCK"},
}


# Of a workflow's files, what each may import is to the left of it.
ORDER = {"life": 0, "mail": 1, "page": 2, "steps": 2, "handler": 3, "console": 4}


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


def workflows() -> list[str]:
    """The packages of the workflows: the folders of `casework` that have a handler."""
    casework = SOURCE / "casework"
    return [f"mailguard.casework.{p.parent.name}" for p in sorted(casework.glob("*/handler.py"))]


def imported(name: str) -> set[str]:
    """The modules of ours that one imports, wherever in its text."""
    found = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & modules().keys()
            found |= inner or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules().keys()


@pytest.mark.parametrize("workflow", workflows())
def test_of_casework_the_list_alone_imports_a_workflow(workflow: str) -> None:
    """Neither the engine nor another workflow knows one."""
    by = {
        name
        for name in modules()
        if name.startswith("mailguard.casework.") and not name.startswith(f"{workflow}.")
        if any(one.startswith(f"{workflow}.") for one in imported(name))
    }
    assert by == {"mailguard.casework.workflows"}


@pytest.mark.parametrize("workflow", workflows())
def test_the_files_of_a_workflow_stand_in_their_order(workflow: str) -> None:
    for name, place in ORDER.items():
        if (module := f"{workflow}.{name}") in modules():
            above = {f"{workflow}.{other}" for other, at in ORDER.items() if at >= place}
            assert imported(module).isdisjoint(above - {module})


def test_there_are_workflows() -> None:
    assert "mailguard.casework.approvals" in workflows()
    assert "mailguard.casework.engine" in imported("mailguard.casework.workflows")
