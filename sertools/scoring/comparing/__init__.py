"""Methods beside each other: differences, and what speakers, folds and utterances say of them."""
