"""How good is it, in five rooms: results → comparing → synthetic → plots → reports. Trains nothing."""
