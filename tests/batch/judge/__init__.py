"""The client of judges' servers, against servers that do whatever they like."""
