"""torch._subclasses: tensors without numbers, which PyTorch's compiler makes; here are none, and libraries only ask."""
