"""Reading cells from files of other tools: one module per family of formats."""
