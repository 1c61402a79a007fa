"""`python -m agent` and the command `floorgate`."""

from agent.cli import main

if __name__ == "__main__":
    main()
