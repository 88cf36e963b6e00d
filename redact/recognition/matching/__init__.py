"""Building blocks of recognisers: base classes, edges, patterns and labelled numbers."""
