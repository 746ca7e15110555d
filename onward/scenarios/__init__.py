"""The scenario runner: acts as the hub's callers do, through its public calls alone, and compares what it answers.

`book` reads files, `vocabulary` knows every word they may use, `grounds` and `world` give each scenario a hub of its
own with a controlled clock, `prior` brings its state about, `events` does what happens, `outputs` reads what came of
it, `compare` holds that against what is expected, `play` puts these in order.
"""
