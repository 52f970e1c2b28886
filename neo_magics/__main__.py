"""`python -m neo_magics` is the command neo-magics, also where no script of that name is on the PATH."""

from neo_magics.cli import main

if __name__ == "__main__":
    main()
