"""Numbers: pure functions, arrays in, numbers out."""
