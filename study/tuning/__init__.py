"""What a search needs beside Tune: reading a space, drawing from it, keeping the record; none of it imports Ray."""
