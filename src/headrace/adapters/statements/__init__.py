"""Statements of suppliers, markets, pools and banks: a CSV file and its declaration in, a checked statement out.

A revenue meter's file is read the same way.
"""

from headrace.adapters.statements.declaration import MeterDeclaration, StatementDeclaration, load_declaration
from headrace.adapters.statements.meter import read_meter
from headrace.adapters.statements.read import read_statement

__all__ = ["MeterDeclaration", "StatementDeclaration", "load_declaration", "read_meter", "read_statement"]
