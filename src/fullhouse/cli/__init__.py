"""The program, a file for each group of commands."""
