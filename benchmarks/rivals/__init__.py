"""The programs that goldpan's worker is compared with, each run as a process."""
