"""Lets ``python -m xpfit.cli`` do what ``xpfit`` does."""

from .main import main

if __name__ == "__main__":
    main()
