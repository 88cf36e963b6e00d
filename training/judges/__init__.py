"""Trains the judges that are shipped with goldpan."""
