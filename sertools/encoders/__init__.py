"""A recording → a vector, by a frozen pretrained network from a folder, the hub or an ONNX file; see `encoder`."""
