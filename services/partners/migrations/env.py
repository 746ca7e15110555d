from hubkit.migrations import run_env

run_env()
