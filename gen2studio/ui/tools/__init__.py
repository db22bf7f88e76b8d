"""Canvas tools as generators: before the first yield is the press, the loop is the move, what follows the release."""
