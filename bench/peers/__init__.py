"""Servers to compare with, started on loopback as an admin would set them up."""
