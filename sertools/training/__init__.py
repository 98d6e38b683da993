"""Autoencoder, class Gaussians, GAN and classifier: training, files, resuming (§2.2, §2.3, §3.2)."""
