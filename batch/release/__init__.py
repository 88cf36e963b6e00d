"""Golden-set releases: described by a spec, drawn from the lake, published once."""
