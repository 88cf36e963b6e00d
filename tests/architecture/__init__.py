"""What holds for the source itself: rooms, boundaries, licences, packaging."""
