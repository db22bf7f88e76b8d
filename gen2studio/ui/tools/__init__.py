"""Canvas tools. Each gesture is a generator: code before the first yield is the press, the loop the move, after it the release."""
