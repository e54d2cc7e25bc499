"""Records explain themselves, packages only list their names, and public things have a docstring."""

import ast
import re


def _is_record(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).split(".")[-1] for base in node.bases}
    return bool(bases & {"Struct", "BaseModel"}) and not node.name.startswith("_")


def _is_told(field: ast.stmt, below: ast.stmt | None) -> bool:
    return isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)


def _fields(record: ast.ClassDef) -> list[tuple[ast.AnnAssign, bool]]:
    """Public fields, each with whether its docstring is below it."""
    pairs = zip(record.body, [*record.body[1:], None], strict=True)
    named = [(field, below) for field, below in pairs if isinstance(field, ast.AnnAssign)]
    return [(field, _is_told(field, below)) for field, below in named if not field.target.id.startswith("_")]


def _backticked(node: ast.Module | ast.ClassDef) -> set[str]:
    return set(re.findall(r"`([\w.]+)`", ast.get_docstring(node) or ""))


def test_every_field_of_a_record_is_told(source, root):
    """Below itself; or by its type, a record of ours; by the glossary, which has its very name; by the module's
    docstring, which lays it out; or by the record that its own record's docstring names and that has the same field."""
    classes = [(m, n) for m in source for n in ast.walk(m.tree) if isinstance(n, ast.ClassDef)]
    own = {node.name for _, node in classes} | {"ClassVar"}
    terms = set(re.findall(r"`([a-z_]+)`", (root / "docs" / "glossary.md").read_text(encoding="utf-8")))
    records = [(module, node) for module, node in classes if _is_record(node)]
    told = {f"{node.name}.{field.target.id}" for _, node in records for field, is_told in _fields(node) if is_told}
    bad = []
    for module, record in records:
        for field, is_told in _fields(record):
            name = field.target.id
            types = {n.id for n in ast.walk(field.annotation) if isinstance(n, ast.Name)}
            laid_out = f"{record.name}.{name}" in _backticked(module.tree)
            borrowed = any(f"{other}.{name}" in told for other in _backticked(record))
            if not (is_told or types & own or name in terms or laid_out or borrowed):
                bad.append(f"{module.where(field)} {record.name}.{name}")
    assert not bad, "a field says below itself what it means, in which unit, in which range:\n" + "\n".join(bad)


def test_records_are_frozen_and_take_keywords_only(source):
    bad = []
    for module in (m for m in source if m.is_pure):
        for node in (n for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef) and not n.name.startswith("_")):
            if "Struct" in {ast.unparse(base).split(".")[-1] for base in node.bases}:
                flags = {k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is True}
                if not {"frozen", "kw_only"} <= flags:
                    bad.append(f"{module.where(node)} {node.name}")
    assert not bad, f"a record is `msgspec.Struct(frozen=True, kw_only=True)`: a new fact is a new record: {bad}"


def test_public_things_have_a_docstring(source):
    bad = []
    for module in source:
        if not ast.get_docstring(module.tree):
            bad.append(f"{module.where(module.tree)} the module")
        for node in module.tree.body:
            is_thing = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
            if is_thing and not ast.get_docstring(node):
                bad.append(f"{module.where(node)} {node.name}")
    assert not bad, "a module, class or public function says first what it is for:\n" + "\n".join(bad)


def test_packages_only_list_their_public_names(source):
    bad = []
    for module in source:
        if module.path.name != "__init__.py":
            continue
        for node in module.tree.body:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            names = {t.id for t in node.targets if isinstance(t, ast.Name)} if isinstance(node, ast.Assign) else set()
            # a tuple of what was imported, in its order, is a listing too
            is_order = isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Tuple)
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            if not (is_text or is_import or is_order or names & {"__all__", "__version__"}):
                bad.append(module.where(node))
    assert not bad, f"`__init__.py` holds a docstring, imports and `__all__`, and does nothing: {bad}"
