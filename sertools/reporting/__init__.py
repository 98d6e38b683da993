"""What is shown, in four rooms: contents → plots → reports → exports. Computes no score."""
