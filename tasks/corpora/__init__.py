"""What is trained on, one file each: the name in a search space is the name of the module here."""
