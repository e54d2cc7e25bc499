"""Double-entry ledger in smallest units: statements in, balanced entries out."""
