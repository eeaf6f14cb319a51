"""Models and pages -> what runs outside Python: ONNX files, and the whole app as a folder of static files."""
