"""Server-rendered pages, a folder for each audience."""
