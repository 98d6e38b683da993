"""Pictures: spectrograms, class balance, curves, the latent space, intervals."""
