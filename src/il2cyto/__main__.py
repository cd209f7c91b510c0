"""``python -m il2cyto``."""

from il2cyto.cli import main

if __name__ == "__main__":
    main()
