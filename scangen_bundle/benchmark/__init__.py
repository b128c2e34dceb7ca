"""How scanner-sensitive is each encoder."""
