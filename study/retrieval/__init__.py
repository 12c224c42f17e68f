"""From texts to metrics: encode, count positions, search, evaluate. Free of Ray."""
