"""Files that hold seat maps: our own form and that of pretix, read with errors that name the place. Pure."""
