"""What recognisers are made of: edges, patterns and labelled numbers."""
