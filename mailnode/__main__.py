"""``python -m mailnode`` is the ``mailnode`` command."""

from mailnode.admin.cli import main

if __name__ == "__main__":
    main()
