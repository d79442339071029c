"""May we take it? Rules asked before a message is accepted."""
