"""Fakes and drivers shared by the tests."""
