"""`python -m onward`: the operator's command."""

from onward.cli import main

if __name__ == "__main__":
    main()
