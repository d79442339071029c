"""PostfixAdmin's tables, only ever made in a database that was empty."""
