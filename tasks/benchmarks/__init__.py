"""What is measured, one file each: the name in a search space is the name of the module here."""
