"""What an artist turns: strength, colours, masks, keyframes, look-up tables, edges and grain."""
