"""Every framework's models, each through a whole job: `python -m tests.zoo --json out.json`."""
