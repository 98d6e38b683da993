"""How good is it, in three rooms: results → comparing → synthetic. Trains nothing, shows nothing."""
