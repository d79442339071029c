"""The scenarios: each loads one server and says what it did."""
