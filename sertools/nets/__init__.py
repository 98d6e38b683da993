"""The networks of the paper: Figure 1 (`gan`), the classifier of §3.2 (`vgg`), and a small one for CPUs (`cnn`)."""
