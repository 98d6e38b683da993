"""The networks of the paper: Figure 1 (`gan`), the classifier of §3.2 (`vgg`), §4's CNN-LSTM (`crnn`).

And a small classifier for CPUs (`cnn`).
"""
