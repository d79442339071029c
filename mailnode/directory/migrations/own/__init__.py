"""Our own tables, beside PostfixAdmin's, all named mailnode_..."""
