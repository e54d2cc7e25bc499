"""Statements of suppliers, markets, pools and banks: a CSV file and its declaration in, a checked statement out."""

from headrace.adapters.statements.declaration import StatementDeclaration, load_declaration
from headrace.adapters.statements.read import read_statement

__all__ = ["StatementDeclaration", "load_declaration", "read_statement"]
