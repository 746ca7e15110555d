"""`python -m onward`: the operator's command."""

import gc


def _start() -> None:
    # What is imported stays: looking through it for garbage again and again takes a quarter of the start.
    gc.disable()
    from onward.cli import main

    gc.freeze()
    gc.enable()
    main()


if __name__ == "__main__":
    _start()
