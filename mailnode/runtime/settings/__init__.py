"""Settings: one TOML file, one frozen model a section. Composed and loaded in ``load``."""
