"""Every float in a room says its unit, last in its name: power taken for energy is the costliest slip of this field."""

import ast
import re

ATOMS = (
    r"mw|mwh|kw|kwh|w|wh|micro|ccy|usd|eur|cad|btc|sats|s|ms|min|h|day|month|year|c|hz|pu|ratio|bps"
    r"|phs|ths|ph|th|hash|mva|mvar|gj|mmbtu|j|kg|gpu|gpu_h|gpu_s|request|mw_month|mw_min|phs_day"
)
UNIT = re.compile(rf"(?:^|(?<!_per)_)(?:{ATOMS})(?:_per_(?:{ATOMS}))?$|_per_s$")
WITHOUT = {
    "headrace.core.money.micro.amount": "any currency, or currency per MWh: what it returns says micro",
    "headrace.loads.curve.concave_hull.points": "(power, work) in whatever units the caller has",
    "headrace.loads.hashprice.hashprice_usd_per_phs_day.difficulty": "a pure number of the protocol",
    "headrace.dispatch.arrays.plan_from_rows.rows": "one row per array of the plan, each in that array's unit",
    "headrace.energy.series.Datum.value": "the series it belongs to carries the unit as data",
    "headrace.energy.series.Series.values": "the field `unit` beside it carries the unit as data",
}
"""Floats whose unit is no part of the name, each with its reason; may only shrink."""


def _is_float(annotation: ast.expr | None, aliases: set[str]) -> bool:
    if annotation is None:
        return False
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(annotation) if isinstance(node, ast.Attribute)}
    if names & {"Callable", "Mapping", "dict", "Series"}:  # the key, argument or series says the unit
        return False
    return bool(names & ({"float", "float64"} | aliases))


def _aliases(tree: ast.Module) -> set[str]:
    """Names such as `Floats = NDArray[np.float64]`, defined here or imported under that name."""
    found = {"Floats"}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_float(node.value, set()):
            found.add(node.targets[0].id)
    return found


def _floats(module) -> list[tuple[str, ast.AST]]:
    """Public float fields and parameters of a module as (qualified name, node)."""
    aliases = _aliases(module.tree)
    out: list[tuple[str, ast.AST]] = []
    scopes: list[tuple[str, list[ast.stmt]]] = [(module.name, module.tree.body)]
    while scopes:
        prefix, body = scopes.pop()
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                scopes.append((f"{prefix}.{node.name}", node.body))
            elif isinstance(node, ast.AnnAssign) and prefix != module.name and _is_float(node.annotation, aliases):
                out.append((f"{prefix}.{node.target.id}", node))
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                args = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
                out += [(f"{prefix}.{node.name}.{a.arg}", a) for a in args if _is_float(a.annotation, aliases)]
    return out


def test_every_float_in_a_room_ends_in_its_unit(source):
    floats = [(m, name, node) for m in source if m.is_pure and not m.is_kernel for name, node in _floats(m)]
    bad = [
        f"{m.where(node)} {name}"
        for m, name, node in floats
        if not UNIT.search(name.split(".")[-1]) and name not in WITHOUT
    ]
    assert not bad, "a float's name ends in its unit (CONVENTIONS.md section 4, docs/glossary.md):\n" + "\n".join(bad)
    gone = set(WITHOUT) - {name for _, name, _ in floats}
    assert not gone, f"no longer there: take these out of WITHOUT: {gone}"


def test_the_unit_check_tells_units_from_other_words():
    good = (
        "stored_mwh",
        "ramp_up_max_mw_per_min",
        "peak_ccy_per_mw_month",
        "wh_per_request",
        "j_per_th",
        "ccy_per_gpu_h",
    )
    assert [name for name in good if not UNIT.search(name)] == []
    assert [name for name in ("soc", "power", "efficiency", "mw_max", "cost_per_mwh") if UNIT.search(name)] == []
