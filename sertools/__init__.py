"""Small Unix-style tools against class imbalance in speech emotion recognition.

The rooms, in the order the data flows; each imports only from those before it:

``corpora``   folders on disk → rows of a labels table
``sound``     audio files → log-mel segments
``store``     the spectrogram store: write, read, select, merge, trace
``balance``   augmentation strategies and balancing plans
``nets``      the networks of the paper
``training``  autoencoder, class Gaussians, GAN, classifier
``scoring``   metrics, statistics, tables, pictures
``cli``       one thin file a verb
"""

__version__ = "0.1.0"
