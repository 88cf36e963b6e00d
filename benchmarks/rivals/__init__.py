"""What goldpan's worker is compared with, each a small program that is run as a process."""
